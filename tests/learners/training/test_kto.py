"""Learning from single judgements on a tiny model: towards what was liked, away from what was not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from learners.job import Phase, TrainResult
from learners.job_files import read_plan, read_result
from learners.training.worker import perform
from storage.records import Row
from tests.learners.training.test_sft import nll_per_token
from tests.learners.training.tiny import make_job, row

pytestmark = [pytest.mark.train, pytest.mark.slow]

SETTINGS: dict[str, Any] = {"learning_rate": 0.02, "steps": 8, "batch_size": 4}
LIKED, DISLIKED = "yes yes", "no no no"


def judged(number: int, liked: bool, *, completion: str | None = None, weight: float = 1.0) -> Row:
    text = completion or (LIKED if liked else DISLIKED)
    reward = 1.0 if liked else -1.0
    return replace(row(number, completion=text, weight=weight), role="response", reward=reward, signal=float(liked))


def thumbs(count: int, first: int = 0) -> list[Row]:
    return [judged(number, number % 2 == 0) for number in range(first, first + count)]


def train(directory: Path, base: Path, rows: list[Row], **changes: Any) -> TrainResult:
    make_job(directory, base, rows, **{"method": "kto", "settings": SETTINGS, **changes})
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


def after_sft(sft_rows: int, **kto: Any) -> tuple[Phase, ...]:
    return (
        Phase(method="sft", settings=SETTINGS, rows=sft_rows, dev_rows=0),
        Phase(method="kto", settings={**SETTINGS, **kto}),
    )


def test_what_was_liked_becomes_likelier_and_what_was_not_less_so(tmp_path: Path, tiny_base: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    bare = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_base), LoraConfig(r=1, target_modules="all-linear"))
    bare.save_pretrained(tmp_path / "bare")  # a fresh LoRA is the base
    result = train(tmp_path / "job", tiny_base, thumbs(12), settings={**SETTINGS, "steps": 16})
    assert result.outcome == "trained", result.reason
    (phase,) = result.phases
    assert (phase.method, phase.rows, phase.steps) == ("kto", 12, 16)
    liked, disliked = (
        nll_per_token(tiny_base, tmp_path / "job" / "adapter", [row(99, completion=text)])
        - nll_per_token(tiny_base, tmp_path / "bare", [row(99, completion=text)])
        for text in (LIKED, DISLIKED)
    )
    assert liked < 0 < disliked


def test_the_first_loss_is_that_of_a_policy_that_is_its_own_reference(tmp_path: Path, tiny_base: Path) -> None:
    """1 - sigmoid(0) = 1/2, also after an SFT phase that moved the policy far from the base."""
    rows = [*(row(i) for i in range(8)), *thumbs(8, 20)]
    result = train(tmp_path / "job", tiny_base, rows, phases=after_sft(8, batch_size=8))
    sft, kto = result.phases
    assert sft.kl is not None
    assert sft.kl > 1e-3
    assert kto.first_loss == pytest.approx(0.5, abs=1e-4)


def test_no_step_holds_a_prompt_twice_and_the_plan_is_what_is_trained(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from learners.training.weighted_judgements import WeightedJudgementCollator

    seen: list[tuple[int, ...]] = []
    collate = WeightedJudgementCollator.torch_call

    def spy(self: Any, examples: list[dict[str, Any]]) -> Any:
        seen.append(tuple(example["line"] for example in examples))
        return collate(self, examples)

    monkeypatch.setattr(WeightedJudgementCollator, "torch_call", spy)
    rows = [
        judged(number % 5, number % 2 == 0, completion=f"{DISLIKED if number % 2 else LIKED} {number}")
        for number in range(12)
    ]
    result = train(tmp_path / "job", tiny_base, [*rows, judged(20, True, completion="x" * 400)])
    assert result.outcome == "trained", result.reason
    planned = [step.rows for step in read_plan(tmp_path / "job")]
    assert seen == planned
    assert len(planned) == 8
    assert all(len({line % 5 for line in step}) == len(step) == 4 for step in planned)
    assert {line for step in planned for line in step} == set(range(12))
    assert result.phases[0].dropped == {"longer than 256 tokens": 1}


def test_rows_of_one_sign_train_nothing_and_the_other_phase_goes_on(tmp_path: Path, tiny_base: Path) -> None:
    rows = [*(row(i) for i in range(6)), *(judged(i, False) for i in range(20, 26))]
    result = train(tmp_path / "job", tiny_base, rows, phases=after_sft(6))
    assert result.outcome == "trained"
    assert result.phases[1].dropped == {"of one sign alone: kto needs liked and disliked answers": 6}
    assert result.phases[1].notes == ("skipped: no row was left",)
    alone = train(tmp_path / "alone", tiny_base, [judged(1, number % 2 == 0) for number in range(6)])
    assert alone.outcome == "failed"
    assert "6 to one prompt alone: kto needs answers to two" in alone.reason


def test_the_reference_is_not_published_and_the_same_job_gives_the_same_bytes(tmp_path: Path, tiny_base: Path) -> None:
    from safetensors import safe_open

    first, again = (train(tmp_path / name, tiny_base, thumbs(10)) for name in "ab")
    other = train(tmp_path / "c", tiny_base, thumbs(10), seed=8)
    assert first.files == again.files != other.files
    left = {path.name for path in (tmp_path / "a" / "adapter").rglob("*")}
    assert left == {"adapter_config.json", "adapter_model.safetensors"}
    with safe_open(tmp_path / "a" / "adapter" / "adapter_model.safetensors", "pt") as weights:
        assert not [name for name in weights.keys() if ".ref." in name]  # noqa: SIM118


def test_judgements_that_move_nothing_fail_alone_and_say_which_setting_to_raise(
    tmp_path: Path, tiny_base: Path
) -> None:
    still = {**SETTINGS, "learning_rate": 1e-9}
    alone = train(tmp_path / "alone", tiny_base, thumbs(8), settings=still)
    assert alone.outcome == "failed"
    assert "raise updates.kto.learning_rate (now 1e-09)" in alone.reason
    rows = [*(row(i) for i in range(6)), *thumbs(6, 20)]
    after = train(tmp_path / "after", tiny_base, rows, phases=after_sft(6, learning_rate=1e-9))
    assert after.outcome == "trained"
    assert "no change" in after.phases[1].notes[0]


def test_training_that_spoils_the_dev_fold_stops_early_and_keeps_the_best_weights(
    tmp_path: Path, tiny_base: Path
) -> None:
    """The dev fold likes what the rows dislike."""
    rows = [judged(i, i % 2 == 0, completion="ab"[i % 2] * 8) for i in range(8)]
    dev = [judged(50 + i, i % 2 == 0, completion="ba"[i % 2] * 8) for i in range(8)]
    settings = {"learning_rate": 0.03, "steps": 60, "batch_size": 4, "patience": 2}
    (phase,) = train(tmp_path / "job", tiny_base, rows, dev=dev, settings=settings).phases
    assert "stopped early" in phase.early_stopping
    assert phase.best_step is not None
    assert phase.best_step < phase.steps < 60


def test_a_dev_fold_to_one_prompt_stops_nothing_early_and_the_result_says_why(tmp_path: Path, tiny_base: Path) -> None:
    dev = [judged(77, number % 2 == 0, completion=f"text {number}") for number in range(10)]
    result = train(tmp_path / "job", tiny_base, thumbs(12), dev=dev)
    assert result.outcome == "trained", result.reason
    assert result.phases[0].early_stopping == (
        "off: 0 dev rows (10 to one prompt alone: kto needs answers to two), 8 are needed"
    )


def test_sft_that_stands_by_trains_what_kto_gives_back_and_nothing_else(tmp_path: Path, tiny_base: Path) -> None:
    phases = after_sft(0)
    liked = train(tmp_path / "liked", tiny_base, [judged(number, True) for number in range(6)], phases=phases)
    assert liked.outcome == "trained", liked.reason
    assert [(phase.method, phase.rows) for phase in liked.phases] == [("sft", 6), ("kto", 0)]
    assert liked.phases[0].notes == (
        "6 rows given back by kto, which were of one sign alone: kto needs liked and disliked answers",
    )
    both = train(tmp_path / "both", tiny_base, thumbs(6), phases=phases)
    assert [(phase.method, phase.rows) for phase in both.phases] == [("kto", 6)]


class Bench:
    """Trainers over the tiny model that can tell their loss and gradient on four answers of unlike lengths."""

    def __init__(self, directory: Path, base: Path) -> None:
        from learners.training.adapters import load_model, load_tokenizer, weights_of
        from learners.training.rows import as_judged, encode

        self.directory, self.job = directory, make_job(directory, base, [])
        self.tokenizer = load_tokenizer(str(base))
        self.model = load_model(self.job)
        self.start = weights_of(self.model)
        rows = [judged(i, i % 2 == 0, completion="yes" * (i + 1)) for i in range(4)]
        self.rows = as_judged(encode(self.tokenizer, rows, 256).rows, [1.0] * 4)

    def trainer(self, kind: Any, collator: Any, **more: Any) -> Any:
        from trl.trainer.kto_config import KTOConfig

        from learners.methods.kto import KtoSettings
        from learners.training.adapters import put_weights
        from learners.training.bench import trainer_arguments

        put_weights(self.model, self.start)  # what TRL copies as the reference
        arguments = trainer_arguments(self.directory, self.job, KtoSettings(), 1)
        return kind(
            model=self.model,
            args=KTOConfig(**arguments, beta=0.3),
            data_collator=collator,
            train_dataset=self.rows,
            processing_class=self.tokenizer,
            **more,
        )

    def loss_and_gradient(self, trainer: Any, batch: dict[str, Any]) -> tuple[float, Any]:
        """Of a policy that has moved off its reference."""
        import torch

        torch.manual_seed(1)
        self.model.eval()
        own = [(n, p) for n, p in self.model.named_parameters() if ".default." in n]
        with torch.no_grad():
            for name, parameter in own:
                parameter.copy_(torch.randn_like(parameter) * (0.1 if "lora_B" in name else 0.3))
        self.model.zero_grad()
        loss = trainer.compute_loss(self.model, batch)
        loss.backward()
        gradient = torch.cat([p.grad.flatten().clone() for _, p in own if p.grad is not None])
        self.model.delete_adapter("ref")
        return float(loss.detach()), gradient

    def weighted(self, *weights: float, sft_weight: float = 0.0) -> tuple[float, Any]:
        from learners.plan import Plan
        from learners.training.weighted_judgements import WeightedJudgementCollator, WeightedJudgementTrainer

        collator = WeightedJudgementCollator(pad_token_id=self.tokenizer.pad_token_id)
        trainer = self.trainer(WeightedJudgementTrainer, collator, plan=Plan(((0,),)), sft_weight=sft_weight)
        rows = [{**one, "weight": weight} for one, weight in zip(self.rows, weights, strict=True)]
        return self.loss_and_gradient(trainer, collator(rows))

    def plain(self) -> tuple[float, Any]:
        from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer

        class Prepared(KTOTrainer):  # type: ignore[misc]
            """TRL's own loss on answers that are token ids already."""

            def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
                return dataset

        ids = [one["completion_ids"] for one in self.rows]
        rows = [{**one, "KL_completion_ids": other} for one, other in zip(self.rows, [ids[-1], *ids[:-1]], strict=True)]
        collator = DataCollatorForUnpairedPreference(pad_token_id=self.tokenizer.pad_token_id)
        return self.loss_and_gradient(self.trainer(Prepared, collator), collator(rows))


@pytest.fixture
def bench(tmp_path: Path, tiny_base: Path) -> Bench:
    return Bench(tmp_path / "job", tiny_base)


def test_weight_one_is_the_loss_of_trl(bench: Bench) -> None:
    import torch

    expected, expected_gradient = bench.plain()
    loss, gradient = bench.weighted(1.0, 1.0, 1.0, 1.0)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(gradient, expected_gradient, atol=1e-5)
    assert not math.isclose(loss, 0.5, abs_tol=1e-3), "the policy has moved, so the loss is not that of the start"


def test_heavier_answers_pull_in_proportion_and_those_of_weight_zero_not_at_all(bench: Bench) -> None:
    import torch

    first, second = bench.weighted(1.0, 0.0, 0.0, 0.0), bench.weighted(0.0, 1.0, 0.0, 0.0)
    both = bench.weighted(3.0, 1.0, 0.0, 0.0)  # divided by two that count
    assert both[0] == pytest.approx((3 * first[0] + second[0]) / 2, abs=1e-5)
    assert torch.allclose(both[1], (3 * first[1] + second[1]) / 2, atol=1e-5)


def test_a_share_of_sft_adds_the_desirable_answers_own_likelihood(bench: Bench) -> None:
    import torch

    plain, plain_gradient = bench.weighted(0.0, 1.0, 0.0, 1.0)
    undesirable, gradient = bench.weighted(0.0, 1.0, 0.0, 1.0, sft_weight=1.0)
    assert undesirable == pytest.approx(plain)
    assert torch.equal(gradient, plain_gradient)
    assert bench.weighted(1.0, 0.0, 0.0, 0.0, sft_weight=1.0)[0] > bench.weighted(1.0, 0.0, 0.0, 0.0)[0] + 1
