"""How far a candidate moved on general prompts: measured as one would by hand, bounded, and without a trace of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from learners.job import TrainResult
from learners.job_files import read_result
from learners.rendering import render_row
from learners.retention import GENERAL
from learners.training.worker import perform
from storage.records import Message
from tests.learners.training.tiny import make_job, row

pytestmark = [pytest.mark.train, pytest.mark.slow]


def train(directory: Path, base: Path, learning_rate: float = 0.02, **changes: Any) -> TrainResult:
    settings = {"learning_rate": learning_rate, "steps": 6, "batch_size": 4}
    make_job(directory, base, [row(number) for number in range(8)], settings=settings, **changes)
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


def by_hand(base: Path, adapter: Path, other: Path | None) -> float:
    """Mean KL(adapter || other) over all tokens of the answers, by plain transformers and PEFT."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)

    def model(path: Path | None) -> Any:
        bare = AutoModelForCausalLM.from_pretrained(base)
        return (bare if path is None else PeftModel.from_pretrained(bare, str(path))).eval()

    one, two, nats = model(adapter), model(other), []
    for prompt, answer in GENERAL:
        asked, said = render_row(tokenizer, [Message("user", prompt)], answer)
        with torch.no_grad():
            logs = [m(torch.tensor([asked + said])).logits[0, len(asked) - 1 : -1].log_softmax(-1) for m in (one, two)]
        nats.append(torch.nn.functional.kl_div(logs[1], logs[0], log_target=True, reduction="none").sum(-1))
    return float(torch.cat(nats).mean())


def test_it_is_the_mean_kl_to_base_and_champion_and_leaves_no_trace_in_the_adapter(
    tmp_path: Path, tiny_base: Path
) -> None:
    champion = train(tmp_path / "champion", tiny_base, seed=1, learning_rate=0.1)
    alone = train(tmp_path / "alone", tiny_base)
    beside = train(tmp_path / "beside", tiny_base, champion_path=str(tmp_path / "champion" / "adapter"))
    assert champion.retention is not None
    assert alone.retention is not None
    assert beside.retention is not None
    assert alone.retention.kl_champion == alone.retention.kl_base, "the champion is the base"
    adapters = [tmp_path / name / "adapter" for name in ("beside", "champion")]
    assert beside.retention.kl_base == pytest.approx(by_hand(tiny_base, adapters[0], None), rel=1e-3)
    assert beside.retention.kl_champion == pytest.approx(by_hand(tiny_base, adapters[0], adapters[1]), rel=1e-3)
    assert beside.retention.kl_base != pytest.approx(beside.retention.kl_champion, rel=0.05)
    assert beside.retention.prompts == len(GENERAL)
    assert beside.files == alone.files


def test_one_that_forgot_too_much_fails_and_says_what_to_do(tmp_path: Path, tiny_base: Path) -> None:
    result = train(tmp_path / "job", tiny_base, max_retention_kl=1e-6)
    assert result.outcome == "failed"
    for said in ("forgot too much: KL to the base", "updates.max_retention_kl is 1e-06", "updates.sft.learning_rate"):
        assert said in result.reason
    assert not (tmp_path / "job" / "adapter").exists()


def test_the_general_prompts_are_all_different() -> None:
    assert len({prompt for prompt, _ in GENERAL}) == len(GENERAL) >= 20
