"""TRL's KTOTrainer with a weight for each answer, and steps that are planned.

Loss of a step = sum over its answers of weight x TRL's KTO loss of the answer, divided by the number of answers that
count at all, plus `sft_weight` times: sum over the desirable answers of weight x (summed negative log-likelihood),
divided by the number of their tokens. So weight 1 everywhere, without a share of SFT, is TRL's own loss of `kto`.

The reference point is TRL's: every prompt with the answer of the row before it in the step (the first with that of the
last), the mean of how much likelier the policy holds those than the reference does, at least 0. TRL pairs them over the
data set as it lies, which a plan does not follow, so the collator does it; a step must hold no prompt twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer

from learners.training.weighted import PlannedSteps


@dataclass
class WeightedJudgementCollator(DataCollatorForUnpairedPreference):
    """Pads a step's answers, pairs each prompt with another's answer, and hands the weights on."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        shifted = [examples[-1], *examples[:-1]]
        paired = [
            {**one, "KL_completion_ids": other["completion_ids"]} for one, other in zip(examples, shifted, strict=True)
        ]
        batch: dict[str, Any] = super().torch_call(paired)
        batch["weight"] = torch.tensor([example["weight"] for example in examples], dtype=torch.float32)
        return batch


class WeightedJudgementTrainer(PlannedSteps, KTOTrainer):
    """Needs a WeightedJudgementCollator, rows that are token ids already, and `dev_steps` where there is a dev fold."""

    def __init__(self, *, sft_weight: float, dev_steps: Sequence[Sequence[int]] = (), **arguments: Any) -> None:
        super().__init__(**arguments)
        self._sft_weight = sft_weight
        self._dev_steps = [list(step) for step in dev_steps]

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """TRL would render, tokenize and pair; ours are rendered where all rows are, and paired by the collator."""
        return dataset

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:  # noqa: ARG002
        """In steps that hold no prompt twice, as in training."""
        loader = DataLoader(self.eval_dataset, batch_sampler=self._dev_steps, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        weight, liked = inputs["weight"], inputs["label"].bool()
        counts = weight > 0
        likelihood = _log_likelihood(model, inputs)
        with torch.no_grad():
            mismatched = _log_likelihood(model, inputs, "KL_")
        likelihood_before, mismatched_before = self.compute_ref_log_probs(model, inputs)
        moved = (mismatched - mismatched_before).mean().clamp(min=0)
        gain = likelihood - likelihood_before - moved
        judged = 1 - torch.sigmoid(self.beta * torch.where(liked, gain, -gain))
        loss = (weight * judged).sum() / counts.sum().clamp(min=1)
        if self._sft_weight:
            tokens = (inputs["completion_mask"][:, 1:] * (liked & counts)[:, None]).sum()
            loss = loss - self._sft_weight * (weight * liked * likelihood).sum() / tokens.clamp(min=1)
        return (loss, None) if return_outputs else loss


def _log_likelihood(model: Any, inputs: dict[str, Any], prefix: str = "") -> torch.Tensor:
    """Summed over the completion's tokens, in nats: shape (answers,)."""
    input_ids, mask = inputs[f"{prefix}input_ids"], inputs[f"{prefix}completion_mask"]
    outputs = model(
        input_ids=input_ids,
        attention_mask=inputs[f"{prefix}attention_mask"],
        labels=input_ids.masked_fill(mask == 0, -100),
        use_cache=False,
        fused_lm_head=True,
    )
    log_probs: torch.Tensor = outputs.log_probs
    return log_probs.sum(dim=1)
