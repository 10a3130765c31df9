"""Preference optimisation of a tiny model: it moves towards what was chosen, in a phase of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from learners.job import Phase, TrainResult
from learners.job_files import last_progress, read_plan, read_result
from learners.training.worker import perform
from storage.records import Row
from tests.learners.training.test_sft import nll_per_token
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [pytest.mark.train, pytest.mark.slow]

SETTINGS: dict[str, Any] = {"learning_rate": 0.02, "steps": 8, "batch_size": 4}
CHOSEN, REJECTED = "yes yes", "no no no"


def train(directory: Path, base: Path, rows: list[Row], **changes: Any) -> TrainResult:
    make_job(directory, base, rows, **{"method": "dpo", "settings": SETTINGS, **changes})
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


def both_phases(sft_rows: int, **dpo: Any) -> tuple[Phase, ...]:
    return (
        Phase(method="sft", settings=SETTINGS, rows=sft_rows, dev_rows=0),
        Phase(method="dpo", settings={**SETTINGS, **dpo}),
    )


def test_the_chosen_text_becomes_likelier_and_the_rejected_one_less_so(tmp_path: Path, tiny_base: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    bare = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_base), LoraConfig(r=1, target_modules="all-linear"))
    bare.save_pretrained(tmp_path / "bare")  # a fresh LoRA is the base
    result = train(tmp_path / "job", tiny_base, [pair(i) for i in range(12)])
    assert result.outcome == "trained", result.reason
    (phase,) = result.phases
    assert (phase.method, phase.rows, phase.steps) == ("dpo", 12, 8)
    assert phase.first_loss is not None
    assert phase.last_loss is not None
    assert phase.last_loss < phase.first_loss
    asked = [row(99, completion=CHOSEN)], [row(99, completion=REJECTED)]
    chosen, rejected = (
        nll_per_token(tiny_base, tmp_path / "job" / "adapter", texts)
        - nll_per_token(tiny_base, tmp_path / "bare", texts)
        for texts in asked
    )
    assert chosen < 0
    assert rejected > chosen


def test_the_first_loss_is_that_of_a_policy_that_is_its_own_reference(tmp_path: Path, tiny_base: Path) -> None:
    """Without a share of SFT: -log sigmoid(0), also after an SFT phase that moved the policy far from the base."""
    import math

    rows = [*(row(i) for i in range(8)), *(pair(i) for i in range(20, 28))]
    result = train(tmp_path / "job", tiny_base, rows, phases=both_phases(8, sft_weight=0.0))
    sft, dpo = result.phases
    assert sft.kl is not None
    assert sft.kl > 1e-3
    assert dpo.first_loss == pytest.approx(math.log(2), abs=1e-4)


def test_phases_train_their_own_rows_alone_and_the_plan_says_which(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from learners.training.weighted import WeightedCollator
    from learners.training.weighted_pairs import WeightedPairCollator

    seen: list[tuple[str, tuple[int, ...]]] = []

    def spy(kind: Any, phase: str) -> None:
        collate = kind.torch_call

        def call(self: Any, examples: list[dict[str, Any]]) -> Any:
            seen.append((phase, tuple(example["line"] for example in examples)))
            return collate(self, examples)

        monkeypatch.setattr(kind, "torch_call", call)

    spy(WeightedCollator, "sft")
    spy(WeightedPairCollator, "dpo")
    long = pair(24, rejected="x" * 400)
    alike = pair(25, rejected=CHOSEN)
    rows = [*(row(i) for i in range(6)), *(pair(i) for i in range(20, 24)), long, alike]
    result = train(tmp_path / "job", tiny_base, rows, phases=both_phases(6))
    planned = [(step.phase, step.rows) for step in read_plan(tmp_path / "job")]
    assert seen == planned
    assert {line for phase, step in planned if phase == "sft" for line in step} == set(range(6))
    assert {line for phase, step in planned if phase == "dpo" for line in step} == set(range(6, 10))
    assert [(one.method, one.rows) for one in result.phases] == [("sft", 6), ("dpo", 4)]
    assert result.phases[1].dropped == {"longer than 256 tokens": 1, "both texts the same": 1}
    assert (result.rows, result.steps) == (10, 16)
    assert [step.step for step in read_plan(tmp_path / "job")] == list(range(16))
    progress = last_progress(tmp_path / "job")
    assert progress is not None
    assert (progress.done, progress.total, progress.phase) == (16, 16, "dpo")


def test_the_reference_is_not_published_and_nothing_else_is_left(tmp_path: Path, tiny_base: Path) -> None:
    from safetensors import safe_open

    train(tmp_path / "job", tiny_base, [pair(i) for i in range(8)])
    left = {str(path.relative_to(tmp_path / "job" / "adapter")) for path in (tmp_path / "job" / "adapter").rglob("*")}
    assert left == {"adapter_config.json", "adapter_model.safetensors"}
    assert not (tmp_path / "job" / "trainer").exists()
    with safe_open(tmp_path / "job" / "adapter" / "adapter_model.safetensors", "pt") as weights:
        assert not [name for name in weights.keys() if ".ref." in name]  # noqa: SIM118


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, tiny_base: Path) -> None:
    rows = [*(row(i) for i in range(5)), *(pair(i) for i in range(20, 27))]
    first, again = (train(tmp_path / name, tiny_base, rows, phases=both_phases(5)) for name in "ab")
    other = train(tmp_path / "c", tiny_base, rows, phases=both_phases(5), seed=8)
    assert first.files == again.files
    assert first.phases[1].last_loss == again.phases[1].last_loss
    assert first.files["adapter_model.safetensors"] != other.files["adapter_model.safetensors"]


def test_pairs_that_move_nothing_fail_alone_and_are_a_note_after_an_sft_phase(tmp_path: Path, tiny_base: Path) -> None:
    still = {**SETTINGS, "learning_rate": 1e-9}
    alone = train(tmp_path / "alone", tiny_base, [pair(i) for i in range(8)], settings=still)
    assert alone.outcome == "failed"
    assert "no change" in alone.reason
    assert "raise updates.dpo.learning_rate (now 1e-09)" in alone.reason
    rows = [*(row(i) for i in range(6)), *(pair(i) for i in range(20, 26))]
    after = train(tmp_path / "after", tiny_base, rows, phases=both_phases(6, learning_rate=1e-9))
    assert after.outcome == "trained"
    assert "no change" in after.phases[1].notes[0]


def test_a_phase_whose_rows_are_all_too_long_is_skipped_and_says_so(tmp_path: Path, tiny_base: Path) -> None:
    rows = [*(row(i) for i in range(6)), pair(20, chosen="x" * 400)]
    result = train(tmp_path / "job", tiny_base, rows, phases=both_phases(6))
    assert result.outcome == "trained"
    assert (result.phases[1].rows, result.phases[1].steps) == (0, 0)
    assert result.phases[1].notes == ("skipped: no row was left",)


def test_training_that_spoils_the_dev_fold_stops_early_and_keeps_the_best_weights(
    tmp_path: Path, tiny_base: Path
) -> None:
    """The dev fold prefers what the rows reject."""
    rows = [pair(i, chosen="a" * 8, rejected="b" * 8) for i in range(8)]
    dev = [pair(50 + i, chosen="b" * 8, rejected="a" * 8) for i in range(8)]
    settings = {"learning_rate": 0.03, "steps": 60, "batch_size": 4, "patience": 2}
    result = train(tmp_path / "job", tiny_base, rows, dev=dev, settings=settings)
    (phase,) = result.phases
    assert "stopped early" in phase.early_stopping
    assert phase.best_step is not None
    assert phase.best_step < phase.steps < 60


class Bench:
    """Trainers over the tiny model that can tell their loss and gradient on three pairs of unlike lengths."""

    def __init__(self, directory: Path, base: Path) -> None:
        from learners.training.adapters import load_model, load_tokenizer, weights_of
        from learners.training.rows import as_pairs, encode

        self.directory, self.job = directory, make_job(directory, base, [])
        self.tokenizer = load_tokenizer(str(base))
        self.model = load_model(self.job)
        self.start = weights_of(self.model)
        rows = [pair(i, chosen="yes" * (i + 1), rejected="no" * (3 - i)) for i in range(3)]
        self.pairs = as_pairs(encode(self.tokenizer, rows, 256).rows)

    def trainer(self, kind: Any, collator: Any, **more: Any) -> Any:
        from trl.trainer.dpo_config import DPOConfig

        from learners.methods.dpo import DpoSettings
        from learners.training.adapters import put_weights
        from learners.training.bench import trainer_arguments

        put_weights(self.model, self.start)  # what TRL copies as the reference
        arguments = trainer_arguments(self.directory, self.job, DpoSettings(), 1)
        return kind(
            model=self.model,
            args=DPOConfig(**arguments, loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5], beta=0.3),
            data_collator=collator,
            train_dataset=self.pairs,
            processing_class=self.tokenizer,
            **more,
        )

    def loss_and_gradient(self, trainer: Any, collator: Any, pairs: list[dict[str, Any]]) -> tuple[float, Any]:
        """Of a policy that has moved off its reference."""
        import torch

        torch.manual_seed(1)
        self.model.eval()
        own = [(n, p) for n, p in self.model.named_parameters() if ".default." in n]
        with torch.no_grad():
            for name, parameter in own:
                parameter.copy_(torch.randn_like(parameter) * (0.1 if "lora_B" in name else 0.3))
        self.model.zero_grad()
        loss = trainer.compute_loss(self.model, collator(pairs))
        loss.backward()
        gradient = torch.cat([p.grad.flatten().clone() for _, p in own if p.grad is not None])
        self.model.delete_adapter("ref")
        return float(loss.detach()), gradient

    def weighted(self, *weights: float) -> tuple[float, Any]:
        from learners.plan import Plan
        from learners.training.weighted_pairs import WeightedPairCollator, WeightedPairTrainer

        collator = WeightedPairCollator(pad_token_id=self.tokenizer.pad_token_id)
        trainer = self.trainer(WeightedPairTrainer, collator, plan=Plan(((0,),)))
        pairs = [{**one, "weight": weight} for one, weight in zip(self.pairs, weights, strict=False)]
        return self.loss_and_gradient(trainer, collator, pairs)

    def plain(self) -> tuple[float, Any]:
        from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

        class Prepared(DPOTrainer):  # type: ignore[misc]
            """TRL's own loss on pairs that are token ids already."""

            def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
                return dataset

        collator = DataCollatorForPreference(pad_token_id=self.tokenizer.pad_token_id)
        return self.loss_and_gradient(self.trainer(Prepared, collator), collator, list(self.pairs))


@pytest.fixture
def bench(tmp_path: Path, tiny_base: Path) -> Bench:
    return Bench(tmp_path / "job", tiny_base)


def test_weight_one_is_the_loss_of_trl(bench: Bench) -> None:
    import torch

    expected, expected_gradient = bench.plain()
    loss, gradient = bench.weighted(1.0, 1.0, 1.0)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-5)
    assert gradient.abs().sum() > 0


def test_a_pair_of_weight_zero_is_as_if_it_were_not_there(bench: Bench) -> None:
    import torch

    expected, expected_gradient = bench.weighted(1.0, 0.5)
    loss, gradient = bench.weighted(1.0, 0.5, 0.0)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-5)


def test_a_heavier_pair_pulls_in_proportion_and_weights_of_nothing_move_nothing(bench: Bench) -> None:
    import torch

    _, light = bench.weighted(1.0)
    _, heavy = bench.weighted(3.0)
    loss, still = bench.weighted(0.0, 0.0)
    assert torch.allclose(heavy, 3 * light, atol=1e-4)
    assert loss == 0.0
    assert float(still.abs().sum()) == 0.0
