"""TRL's DPOTrainer with a weight for each pair, and steps that are planned.

Loss of a step = sum over its pairs of weight x -log sigmoid(beta x margin), divided by the number of pairs that count
at all, plus `sft`'s share: sum over the pairs of weight x (summed negative log-likelihood of the chosen answer),
divided by the number of tokens in chosen answers that count. So weight 1 everywhere is TRL's own loss of
`["sigmoid", "sft"]`, and a pair of weight 0 is as if it were not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from learners.training.weighted import PlannedSteps


@dataclass
class WeightedPairCollator(DataCollatorForPreference):
    """Pads a step's pairs, the chosen answers before the rejected ones, and hands their weights on."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        batch["weight"] = torch.tensor([example["weight"] for example in examples], dtype=torch.float32)
        return batch


class WeightedPairTrainer(PlannedSteps, DPOTrainer):
    """Needs a WeightedPairCollator, pairs that are token ids already, and the losses `sigmoid` and `sft`."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """TRL would render and tokenize; ours are rendered where all rows are."""
        return dataset

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        given = {name: value for name, value in inputs.items() if name != "weight"}
        weight = inputs["weight"]
        counts = weight > 0
        log_probs, mask = self._token_log_probs(model, given)
        chosen, rejected = log_probs.sum(dim=1).chunk(2)
        chosen_before, rejected_before = self.compute_ref_log_probs(model, given)
        margin = (chosen - chosen_before) - (rejected - rejected_before)
        preferred = -(weight * logsigmoid(self.beta * margin)).sum() / counts.sum().clamp(min=1)
        tokens = (mask.chunk(2)[0] * counts[:, None]).sum()
        imitated = -(weight * chosen).sum() / tokens.clamp(min=1)
        loss = self.loss_weights[0] * preferred + self.loss_weights[1] * imitated
        return (loss, None) if return_outputs else loss

    def _token_log_probs(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each next token, 0 outside the completions; and which are completions. Shape (2 x pairs, length - 1)."""
        mask = inputs["completion_mask"]
        labels = inputs["input_ids"].masked_fill(mask == 0, -100)
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=labels,
            use_cache=False,
            fused_lm_head=True,
        )
        return outputs.log_probs, mask[:, 1:]
