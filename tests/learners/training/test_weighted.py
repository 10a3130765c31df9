"""Weights of rows: 1 is TRL's own loss, 0 is as if the row were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from learners.training.worker import limit_threads
from tests.learners.training.tiny import make_job, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


class Bench:
    """A model on the tiny base, rows encoded, and trainers that can tell their loss and gradient on them."""

    def __init__(self, directory: Path, base: Path) -> None:
        from learners.training.adapters import load_model, load_tokenizer

        limit_threads(1)
        self.job = make_job(directory, base, [])
        self.directory = directory
        self.tokenizer = load_tokenizer(str(base))
        self.model = load_model(self.job)
        self._move_off_the_start()

    def _move_off_the_start(self) -> None:
        """A fresh LoRA has B = 0, which hides gradients of A."""
        import torch

        torch.manual_seed(1)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.1)

    def trainer(self, kind: Any, collator: Any, dataset: Any, **more: Any) -> Any:
        from trl.trainer.sft_config import SFTConfig

        from learners.methods.sft import SftSettings
        from learners.training.bench import trainer_arguments

        arguments = trainer_arguments(self.directory, self.job, SftSettings(), 1)

        return kind(
            model=self.model,
            args=SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True}),
            data_collator=collator,
            train_dataset=dataset,
            processing_class=self.tokenizer,
            **more,
        )

    def dataset(self, weights: list[float]) -> Any:
        from learners.training.rows import as_dataset, encode

        rows = [row(i, completion="yes" * (i + 1), weight=weight or 1.0) for i, weight in enumerate(weights)]
        encoded = encode(self.tokenizer, rows, 256).rows
        return as_dataset(encoded).remove_columns("weight").add_column("weight", weights)

    def loss_and_gradient(self, trainer: Any, dataset: Any, collator: Any) -> tuple[float, Any]:
        import torch

        self.model.zero_grad()
        self.model.eval()  # no dropout
        loss = trainer.compute_loss(self.model, collator(list(dataset)))
        loss.backward()
        gradients = [p.grad.flatten().clone() for p in self.model.parameters() if p.grad is not None]
        return float(loss.detach()), torch.cat(gradients)

    def weighted(self, weights: list[float], rows: int | None = None) -> tuple[float, Any]:
        from learners.plan import Plan
        from learners.training.weighted import WeightedCollator, WeightedTrainer

        dataset = self.dataset(weights).select(range(rows or len(weights)))
        collator = WeightedCollator(pad_token_id=self.tokenizer.pad_token_id)
        trainer = self.trainer(WeightedTrainer, collator, dataset, plan=Plan((tuple(range(len(dataset))),)))
        return self.loss_and_gradient(trainer, dataset, collator)

    def plain(self, rows: int) -> tuple[float, Any]:
        from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

        dataset = self.dataset([1.0] * rows).remove_columns(["weight", "line"])
        collator = DataCollatorForLanguageModeling(pad_token_id=self.tokenizer.pad_token_id)
        return self.loss_and_gradient(self.trainer(SFTTrainer, collator, dataset), dataset, collator)


@pytest.fixture
def bench(tmp_path: Path, tiny_base: Path) -> Bench:
    return Bench(tmp_path / "job", tiny_base)


def test_weight_one_is_the_loss_of_trl(bench: Bench) -> None:
    import torch

    loss, gradient = bench.weighted([1.0, 1.0, 1.0])
    expected, expected_gradient = bench.plain(3)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-6)
    assert gradient.abs().sum() > 0


def test_a_row_of_weight_zero_is_as_if_it_were_not_there(bench: Bench) -> None:
    import torch

    loss, gradient = bench.weighted([1.0, 0.5, 0.0])
    expected, expected_gradient = bench.weighted([1.0, 0.5, 1.0], rows=2)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-6)


def test_a_heavier_row_pulls_in_proportion(bench: Bench) -> None:
    import torch

    _, light = bench.weighted([1.0])
    _, heavy = bench.weighted([3.0])
    assert torch.allclose(heavy, 3 * light, atol=1e-5)


def test_a_step_in_which_nothing_counts_moves_nothing(bench: Bench) -> None:
    loss, gradient = bench.weighted([0.0, 0.0])
    assert loss == 0.0
    assert float(gradient.abs().sum()) == 0.0
