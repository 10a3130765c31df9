"""TRL's SFTTrainer with a weight for each row, and steps that are planned.

Loss of a step = sum over its rows of weight x (summed negative log-likelihood of the row's completion tokens), divided
by the number of completion tokens in rows that count at all. So weight 1 everywhere is TRL's own loss, a row of weight
0 is as if it were not there, and a batch of unimportant rows moves the adapter less than one of important ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from learners.plan import Plan


@dataclass
class WeightedCollator(DataCollatorForLanguageModeling):
    """Pads a step's rows, and hands their weights on."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().torch_call(examples)
        batch["weight"] = torch.tensor([example["weight"] for example in examples], dtype=torch.float32)
        return batch


class PlannedSteps:
    """For a trainer: it trains on exactly the rows of `plan`, step by step. Gradient accumulation is not supported.

    Needs `remove_unused_columns=False` and `max_steps` equal to the plan's length.
    """

    train_dataset: Any
    data_collator: Any
    accelerator: Any

    def __init__(self, *, plan: Plan, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._plan = plan

    def get_train_dataloader(self) -> Any:
        """Steps of a plan may differ in size, which no sampler with a fixed batch size can follow."""
        steps = [list(step) for step in self._plan.steps]
        loader = DataLoader(self.train_dataset, batch_sampler=steps, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002
        """Nobody reads the count, and each step would walk all parameters of the model for it."""
        return 0


class WeightedTrainer(PlannedSteps, SFTTrainer):
    """Needs a WeightedCollator."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        weight = inputs["weight"][:, None]
        outputs = model(**{name: value for name, value in inputs.items() if name != "weight"}, fused_lm_head=True)
        counted = (outputs.label_mask & (weight > 0)).sum()
        loss = -(outputs.log_probs * weight).sum() / counted.clamp(min=1)
        return (loss, outputs) if return_outputs else loss
