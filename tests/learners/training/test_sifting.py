"""What the champion knows already is not trained on: measured on the tiny model, before an update begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from learners.job import Start, TrainResult
from learners.job_files import read_plan, read_result
from learners.off_policy import SOLVED, STALE
from learners.training.worker import perform
from storage.records import Row
from tests.learners.training.test_kto import judged, thumbs
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [pytest.mark.train, pytest.mark.slow]

SETTINGS: dict[str, Any] = {"learning_rate": 0.02, "steps": 6, "batch_size": 4}
LEARNED, DISLIKED = "yes yes", "no no no"


def train(directory: Path, base: Path, rows: list[Row], **changes: Any) -> TrainResult:
    chosen = {"settings": SETTINGS, "off_policy": {"solved_margin": 0.3}, **changes}
    make_job(directory, base, rows, **chosen)
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> str:
    """It has learned to say yes, and so not to say no."""
    folder = tmp_path_factory.mktemp("champion") / "job"
    rows = [row(i, completion=LEARNED) for i in range(12)]
    result = train(folder, tiny_base, rows, settings={**SETTINGS, "steps": 30}, off_policy=None)
    assert result.outcome == "trained", result.reason
    return str(folder / "adapter")


KNOWN = [pair(i, chosen=LEARNED, rejected=DISLIKED) for i in range(6)]
NEW = [pair(i, chosen="zebra", rejected="quiz") for i in range(10, 16)]


def test_pairs_that_the_champion_solves_are_left_to_replay(tmp_path: Path, tiny_base: Path, champion: str) -> None:
    start = Start(mode="champion", adapter_path=champion)
    result = train(tmp_path / "job", tiny_base, [*KNOWN, *NEW], method="dpo", start=start, champion_path=champion)
    assert result.outcome == "trained", result.reason
    assert result.phases[0].dropped == {SOLVED: 6}
    assert {line for step in read_plan(tmp_path / "job") for line in step.rows} == set(range(6, 12))


def test_under_the_base_they_are_not_solved_and_where_training_starts_from_it_they_are_trained_as_replay(
    tmp_path: Path, tiny_base: Path, champion: str
) -> None:
    first = train(tmp_path / "first", tiny_base, [*KNOWN, *NEW], method="dpo")
    assert first.phases[0].dropped == {}
    anew = train(tmp_path / "anew", tiny_base, [*KNOWN, *NEW], method="dpo", champion_path=champion)
    (phase,) = anew.phases
    assert (phase.rows, phase.dropped) == (12, {})
    assert phase.notes == ("6 pairs solved under the champion are trained on as replay",)


def test_disliked_answers_that_the_champion_hardly_says_any_more_are_dropped_and_replayed_ones_are_not(
    tmp_path: Path, tiny_base: Path, champion: str
) -> None:
    from dataclasses import replace

    fresh = [judged(i, liked=False, completion=text) for i, text in enumerate(("quiz", "no no", "quiz"))]
    again = replace(judged(7, liked=False, completion="quiz"), replay=True)
    rows = [*fresh, again, *(judged(i, liked=True) for i in range(20, 24))]
    margins = {"stale_margin": 0.02}  # the tiny model hardly tells one text from another
    result = train(tmp_path / "job", tiny_base, rows, method="kto", champion_path=champion, off_policy=margins)
    assert result.outcome == "trained", result.reason
    assert result.phases[0].dropped == {STALE: 2}
    assert {line for step in read_plan(tmp_path / "job") for line in step.rows} == {1, 3, 4, 5, 6, 7}


def test_where_the_champion_knows_it_all_the_result_says_so(tmp_path: Path, tiny_base: Path, champion: str) -> None:
    start = Start(mode="champion", adapter_path=champion)
    result = train(tmp_path / "job", tiny_base, KNOWN, method="dpo", start=start, champion_path=champion)
    assert (result.outcome, result.outgrown) == ("failed", True)
    assert result.reason == f"Nothing is left to train on: 6 {SOLVED}."


def test_asking_the_champion_leaves_the_model_as_it_was(tmp_path: Path, tiny_base: Path, champion: str) -> None:
    import torch

    from learners.training.adapters import load_model, load_tokenizer, weights_of
    from learners.training.rows import encode
    from learners.training.sifting import sift

    job = make_job(tmp_path, tiny_base, [], champion_path=champion, off_policy={})
    model = load_model(job)
    before = weights_of(model)
    sift(job, encode(load_tokenizer(str(tiny_base)), thumbs(4), 256), model)
    after = weights_of(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert list(model.peft_config) == ["default"]
    assert model.active_adapter == "default"
