"""Supervised fine-tuning of a tiny model: what is planned is trained, always the same way, and nothing is left over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from learners.job import Start, TrainResult
from learners.job_files import last_progress, read_plan, read_result
from learners.rendering import render_row
from learners.training.worker import perform
from storage.records import Message, Row
from tests.learners.training.tiny import make_job, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    # transformers warns of its own renaming, whichever of the two names is used
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


def train(directory: Path, base: Path, rows: list[Any], **changes: Any) -> TrainResult:
    make_job(directory, base, rows, **changes)
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


def spy_on_the_collator(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Lines of rows.jsonl, as they reach the model, step by step."""
    from learners.training.weighted import WeightedCollator

    seen: list[tuple[int, ...]] = []
    collate = WeightedCollator.torch_call

    def spy(self: Any, examples: list[dict[str, Any]]) -> Any:
        seen.append(tuple(example["line"] for example in examples))
        return collate(self, examples)

    monkeypatch.setattr(WeightedCollator, "torch_call", spy)
    return seen


def nll_per_token(base: Path, adapter: Path, rows: list[Row]) -> float:
    """Of the rows' completions, under the adapter loaded anew from its files; by plain transformers and PEFT."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    losses = []
    for one in rows:
        prompt, completion = render_row(tokenizer, one.messages, one.completion)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(completion), reduction="none"))
    return float(torch.cat(losses).mean())


def test_it_trains_writes_the_adapter_and_leaves_nothing_else(tmp_path: Path, tiny_base: Path) -> None:
    result = train(tmp_path / "job", tiny_base, [row(i) for i in range(10)])
    assert result.outcome == "trained"
    assert (result.rows, result.steps, result.phases[0].steps_planned) == (10, 6, 6)
    assert result.phases[0].first_loss is not None
    assert result.phases[0].last_loss is not None
    assert result.phases[0].last_loss < result.phases[0].first_loss
    left = {str(path.relative_to(tmp_path / "job")) for path in (tmp_path / "job").rglob("*") if path.is_file()}
    assert left == {
        "job.json",
        "rows.jsonl",
        "dev.jsonl",
        "plan.jsonl",
        "progress.jsonl",
        "result.json",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }
    assert result.files.keys() == {"adapter_config.json", "adapter_model.safetensors"}
    progress = last_progress(tmp_path / "job")
    assert progress is not None
    assert (progress.done, progress.total) == (6, 6)


def test_the_rows_that_the_trainer_sees_are_those_of_the_plan_in_its_order(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spy_on_the_collator(monkeypatch)
    long = row(3, completion="x" * 400)
    train(tmp_path / "job", tiny_base, [row(0), row(1), row(2), long, *(row(i) for i in range(4, 11))])
    planned = [step.rows for step in read_plan(tmp_path / "job")]
    assert seen == planned
    assert [len(step) for step in planned] == [4] * 6
    assert {line for step in planned for line in step} == set(range(11)) - {3}


def test_a_curriculum_may_have_smaller_steps_and_says_what_it_did(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spy_on_the_collator(monkeypatch)
    rows = [row(i, completion="z" * (i + 1)) for i in range(7)]
    result = train(tmp_path / "job", tiny_base, rows, learners={"curriculum": {"difficulty": "length"}})
    planned = [step.rows for step in read_plan(tmp_path / "job")]
    assert seen == planned
    assert [len(step) for step in planned] == [3, 3, 4, 4, 4, 4]
    assert set(planned[0]) == {0, 1, 2}
    assert [note.split(":")[0] for note in result.phases[0].notes] == [
        "nothing left out",
        "easy",
        "medium",
        "hard",
    ]


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(i) for i in range(9)]
    first = train(tmp_path / "a", tiny_base, rows)
    again = train(tmp_path / "b", tiny_base, rows)
    other = train(tmp_path / "c", tiny_base, rows, seed=8)
    assert first.files == again.files
    assert first.phases[0].last_loss == again.phases[0].last_loss
    assert first.files["adapter_model.safetensors"] != other.files["adapter_model.safetensors"]


def test_too_long_rows_are_dropped_with_a_reason_not_cut(tmp_path: Path, tiny_base: Path) -> None:
    result = train(tmp_path / "job", tiny_base, [row(0), row(1, completion="y" * 300), row(2, weight=0.0)])
    assert result.rows == 1
    assert result.phases[0].dropped == {"longer than 256 tokens": 1, "weight 0": 1}


def test_without_a_row_that_fits_it_fails_with_the_reason(tmp_path: Path, tiny_base: Path) -> None:
    result = train(tmp_path / "job", tiny_base, [row(1, completion="y" * 300)])
    assert result.outcome == "failed"
    assert "1 longer than 256 tokens" in result.reason
    assert "max_context" in result.reason


def test_a_candidate_that_did_not_move_is_failed_no_change(tmp_path: Path, tiny_base: Path) -> None:
    settings = {"learning_rate": 1e-9, "steps": 3, "batch_size": 4}
    result = train(tmp_path / "job", tiny_base, [row(i) for i in range(8)], settings=settings)
    assert result.outcome == "failed"
    assert result.reason.startswith("no change: KL")
    assert not (tmp_path / "job" / "adapter").exists()


def test_it_goes_on_from_the_champion(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(i) for i in range(8)]
    first = train(tmp_path / "first", tiny_base, rows)
    start = Start(mode="champion", adapter_path=str(tmp_path / "first" / "adapter"))
    second = train(tmp_path / "second", tiny_base, rows, start=start)
    assert first.phases[0].last_loss is not None
    assert second.phases[0].first_loss is not None
    assert second.phases[0].first_loss < first.phases[0].last_loss + 0.05
    assert second.kl is not None
    assert second.kl > 1e-3


def test_a_champion_whose_files_are_gone_fails_with_what_to_do(tmp_path: Path, tiny_base: Path) -> None:
    start = Start(mode="champion", adapter_path=str(tmp_path / "gone"))
    result = train(tmp_path / "job", tiny_base, [row(0)], start=start)
    assert result.outcome == "failed"
    assert "restore it, or start from the base" in result.reason


def test_with_few_dev_rows_there_is_no_early_stopping_and_it_says_so(tmp_path: Path, tiny_base: Path) -> None:
    result = train(tmp_path / "job", tiny_base, [row(i) for i in range(8)], dev=[row(50 + i) for i in range(7)])
    assert result.phases[0].early_stopping == "off: 7 dev rows, 8 are needed"
    assert result.phases[0].dev_loss is None


def test_training_that_spoils_the_dev_fold_stops_early_and_keeps_the_best_weights(
    tmp_path: Path, tiny_base: Path
) -> None:
    """Rows and dev fold contradict each other, so that the dev loss rises soon."""
    rows = [row(i, completion="a" * 8) for i in range(8)]
    dev = [row(50 + i, completion="b" * 8) for i in range(8)]
    settings = {"learning_rate": 0.03, "steps": 60, "batch_size": 4, "patience": 2}
    result = train(tmp_path / "job", tiny_base, rows, dev=dev, settings=settings)
    assert "stopped early" in result.phases[0].early_stopping
    assert result.phases[0].best_step is not None
    assert result.phases[0].best_step < result.steps < 60
    adapter = tmp_path / "job" / "adapter"
    assert nll_per_token(tiny_base, adapter, dev) == pytest.approx(result.phases[0].dev_loss, abs=1e-4)


def test_an_engine_reads_what_training_probed(tmp_path: Path, tiny_base: Path) -> None:
    """Loaded anew from its files, the adapter holds the probes as likely as training said."""
    result = train(tmp_path / "job", tiny_base, [row(i) for i in range(8)])
    assert len(result.probes) == 5
    for probe in result.probes:
        asked = replace(row(0), messages=(Message("user", probe.prompt),), completion=probe.completion)
        found = nll_per_token(tiny_base, tmp_path / "job" / "adapter", [asked])
        assert found == pytest.approx(probe.nll / probe.tokens, rel=1e-4)
