"""The worker chooses the batch where it is asked to, and trains on nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.cleaning import prompt_key
from learners.hooks import learners
from learners.job import BatchLimits, MadeRows, Phase, Pooled, TrainResult, ValidatorChoice
from learners.job_files import read_made, read_plan, read_result, write_made, write_pool
from learners.training.worker import perform
from storage.records import Message, Row
from tests.learners.training.tiny import make_job, make_tokenizer, pair, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

ACTIVE = {"active": {"random": 0.5}}


def train(directory: Path, base: Path, rows: list[Row], **changes: Any) -> TrainResult:
    settings = {"learning_rate": 0.02, "steps": 3, "batch_size": 4}
    make_job(directory, base, rows, settings=settings, **changes)
    pool = [one for one in rows if not one.replay]
    write_pool(directory, [Pooled(origin=one.origin, users=(at % 4,), weight=1.0) for at, one in enumerate(pool)])
    result = ended(directory)
    assert result.outcome == "trained", result.reason
    return result


def ended(directory: Path) -> TrainResult:
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


def lines(directory: Path) -> set[int]:
    return {line for step in read_plan(directory) for line in step.rows}


def test_only_the_chosen_and_what_is_replayed_is_trained_on(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at) for at in range(12)] + [row(at, replay=True) for at in (12, 13)]
    result = train(tmp_path / "job", tiny_base, rows, learners=ACTIVE, batch=BatchLimits(size=4, cap=4))
    assert result.batch is not None
    assert len(result.batch) == 4
    assert lines(tmp_path / "job") == {int(one.interaction_id[1:]) for one in result.batch} | {12, 13}
    assert result.rows == 6
    figures = result.learners["active"].numbers
    assert figures["brought"] == 3  # the batch opens with one of min_users users
    assert sum(figures[way] for way in ("random", "uncertain", "diverse", "quality")) == 3
    assert figures.keys() == learners()["active"].all_figures.keys()


def test_what_does_not_fit_is_never_chosen(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at, completion="x" * 400 if at < 8 else None) for at in range(12)]
    result = train(tmp_path / "job", tiny_base, rows, learners=ACTIVE, batch=BatchLimits(size=6, cap=6))
    assert {one.interaction_id for one in result.batch or ()} == {"i8", "i9", "i10", "i11"}


def test_the_same_directory_chooses_the_same(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at) for at in range(12)]
    chosen = [
        train(tmp_path / name, tiny_base, rows, learners=ACTIVE, batch=BatchLimits(size=5, cap=5)).batch
        for name in ("a", "b")
    ]
    assert chosen[0] == chosen[1]


def test_a_curriculum_that_leaves_rows_out_says_whose(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at) for at in range(8)]
    result = train(tmp_path / "job", tiny_base, rows, learners={"curriculum": {"noise": 0.25, "probe_steps": 2}})
    assert len(result.left_out) == 2
    assert lines(tmp_path / "job") <= set(range(8)) - {int(one.interaction_id[1:]) for one in result.left_out}
    assert result.learners["curriculum"].numbers == {"noise": 0.25, "left_out": 2.0}
    assert [stage.name for stage in result.phases[0].stages] == ["easy", "medium", "hard"]
    assert {step.stage for step in read_plan(tmp_path / "job")} == {"easy", "medium", "hard"}


def judged(number: int, liked: bool, length: int, prompt: int | None = None) -> Row:
    asked = (Message("user", f"question {number if prompt is None else prompt}"),)
    reward = 1.0 if liked else -1.0
    long = replace(row(number, completion=f"{number}" + "x" * length), messages=asked, signal=float(liked))
    return replace(long, role="response", reward=reward)


def prepared(directory: Path, base: Path, rows: list[Row], **curriculum: Any) -> Any:
    """KTO on rows that are the harder, the longer they are; asks no model."""
    from learners.training.planning import prepare

    settings = {"steps": 6, "batch_size": 4}
    learners = {"curriculum": {"difficulty": "length", **curriculum}}
    job = make_job(directory, base, rows, method="kto", settings=settings, learners=learners)
    return prepare(directory, job, make_tokenizer(), None)


def test_a_stage_of_kto_trains_on_the_rows_that_are_reported(tmp_path: Path, tiny_base: Path) -> None:
    """The easiest answer two prompts, so that its steps cannot be full."""
    rows = [judged(at, at % 4 < 2, 10 + at, prompt=at % 2 if at < 6 else None) for at in range(18)]
    found = prepared(tmp_path, tiny_base, rows)
    easy = found.benches[0].plan.steps[:2]
    assert [len(step) for step in easy] == [2, 2]
    assert {line for step in easy for line in step} <= set(range(6))
    assert "easy: 2 steps on the 6 rows" in found.reports["curriculum"].did[1]


@pytest.mark.parametrize(("noise", "left_out"), [(0.0, 0), (0.5, 0), (0.25, 2)])
def test_an_order_of_which_a_stage_has_one_sign_alone_is_not_ktos(
    tmp_path: Path, tiny_base: Path, noise: float, left_out: int
) -> None:
    """What is liked is short, so the easy ones are all liked; and with half left out nothing disliked is left."""
    found = prepared(tmp_path, tiny_base, [judged(at, at < 4, 10 + at) for at in range(8)], noise=noise)
    (bench,) = found.benches
    assert {place for step in bench.plan.steps for place in step} == set(range(8 - left_out))
    assert len(found.noise) == left_out
    assert found.reports["curriculum"].numbers == {"noise": noise, "left_out": left_out}
    why = "a stage would be of one sign alone: kto needs liked and disliked answers"
    assert (bench.stages, bench.notes) == ((), (f"in random order, {left_out} left out: {why}",))


MAKES: dict[str, Any] = {"augmentation": {"context": False}}


def named(number: int) -> Row:
    """Each asks in its own words, else a renamed one would be a copy of another."""
    name, verb = f"Name{number}", ("Draw", "Show", "Sketch", "Paint")[number]
    return replace(row(number, completion=f"a box called {name}"), messages=(Message("user", f"{verb} {name}"),))


def test_made_rows_are_trained_on_beside_their_parents_and_written_down(tmp_path: Path, tiny_base: Path) -> None:
    rows = [*(named(at) for at in range(4)), row(4, replay=True)]
    result = train(tmp_path / "job", tiny_base, rows, learners=MAKES)
    made = read_made(tmp_path / "job")
    assert made is not None
    assert result.rows == 5 + len(made.rows) > 8
    assert lines(tmp_path / "job") <= set(range(5 + len(made.rows)))
    assert max(lines(tmp_path / "job")) >= 5
    for parent, one in zip(made.parents, made.rows, strict=True):
        assert (one.origin, one.made, one.replay) == (rows[parent].origin, "renaming", False)
        assert one.completion != rows[parent].completion
    numbers = result.learners["augmentation"].numbers
    assert (numbers["asked"], numbers["kept"]) == (8.0, float(len(made.rows)))
    assert result.batch is None  # made rows are no examples


def test_what_the_gate_asks_is_never_made_by_renaming(tmp_path: Path, tiny_base: Path) -> None:
    rows = [named(at) for at in range(3)]
    secret = prompt_key((Message("user", "Draw Name2"),))
    result = train(tmp_path / "job", tiny_base, rows, learners=MAKES, gate_keys=(secret,))
    made = read_made(tmp_path / "job")
    assert made is not None
    asked = {one.messages[-1].content for one in made.rows}
    assert asked == {"Draw Name1", "Show Name0", "Show Name2", "Sketch Name0", "Sketch Name1"}
    assert "known to the gate" in result.learners["augmentation"].did[-1]


def test_an_attempt_that_is_gone_on_with_trains_on_what_was_made_before(tmp_path: Path, tiny_base: Path) -> None:
    rows = [named(at) for at in range(4)]
    before = MadeRows(rows=(replace(rows[1], completion="by hand", made="earlier"),), parents=(1,), gave_way=(1,))
    (tmp_path / "job").mkdir()
    write_made(tmp_path / "job", before)
    result = train(tmp_path / "job", tiny_base, rows, learners=MAKES)
    assert lines(tmp_path / "job") == {0, 2, 3, 4}
    assert result.left_out == ()
    assert read_made(tmp_path / "job") == before


def test_a_failure_for_which_the_champion_has_no_answer_that_passes_stays_what_it_was(
    tmp_path: Path, tiny_base: Path
) -> None:
    rows = [named(0), replace(named(1), role="response", signal=0.1, reward=-0.9)]
    result = train(
        tmp_path / "job",
        tiny_base,
        rows,
        learners={"hard_negatives": {"samples": 2}},
        validator=ValidatorChoice(name="json_schema", settings={"schema": {}}),
        time_limit_s=60.0,
    )
    report = result.learners["hard_negatives"]
    assert report.numbers["answers_asked"] == 2.0
    assert "1 failures have no target" in report.did[0]
    assert report.numbers["kept"] == 0.0
    assert lines(tmp_path / "job") == {0, 1}


def test_a_service_that_a_learner_asks_in_vain_fails_the_attempt_which_may_be_tried_again(
    tmp_path: Path, tiny_base: Path
) -> None:
    """Without its scores the learner would do nothing, and nobody would know why."""
    away = ValidatorChoice(name="http", settings={"url": "http://127.0.0.1:9/", "attempts": 1})
    failing = replace(named(1), role="response", signal=0.1, reward=-0.9)
    wanted = {"hard_negatives": {"samples": 2}}
    make_job(tmp_path, tiny_base, [named(0), failing], learners=wanted, validator=away, time_limit_s=60.0)
    write_pool(tmp_path, [])
    result = ended(tmp_path)
    assert (result.outcome, result.try_again) == ("failed", True)
    assert "validator http: http://127.0.0.1:9/ does not answer" in result.reason


def test_a_phase_of_which_too_little_was_chosen_is_left_out_and_its_examples_go_back(
    tmp_path: Path, tiny_base: Path
) -> None:
    settings = {"learning_rate": 0.02, "steps": 3, "batch_size": 4}
    phases = (
        Phase(method="sft", settings=settings, rows=8, dev_rows=0),
        Phase(method="dpo", settings=settings, rows=4, dev_rows=0, fewest=5),
    )
    rows = [*(row(at) for at in range(8)), *(pair(at) for at in range(8, 12))]
    batch = BatchLimits(size=12, cap=12)
    result = train(tmp_path / "job", tiny_base, rows, learners=ACTIVE, batch=batch, phases=phases)
    assert result.phases[1].dropped == {"too few for dpo in the chosen batch (4 of 5)": 4}
    assert [one.interaction_id for one in result.unseen] == ["i8", "i9", "i10", "i11"]


def test_what_no_step_saw_and_what_does_not_fit_is_told(tmp_path: Path, tiny_base: Path) -> None:
    rows = [*(row(at) for at in range(14)), row(14, completion="x" * 400)]
    result = train(tmp_path / "job", tiny_base, rows)
    seen = lines(tmp_path / "job")
    assert len(seen) == 12
    assert {int(one.interaction_id[1:]) for one in result.unseen} == set(range(14)) - seen
    assert {why: [one.interaction_id for one in them] for why, them in result.unfit.items()} == {
        "longer than 256 tokens": ["i14"]
    }


def test_where_nothing_fits_the_failure_says_whose_it_was(tmp_path: Path, tiny_base: Path) -> None:
    make_job(tmp_path / "job", tiny_base, [row(at, completion="x" * 400) for at in range(2)])
    perform(tmp_path / "job")
    result = read_result(tmp_path / "job")
    assert isinstance(result, TrainResult)
    assert result.reason == "No row is left to train on: 2 longer than 256 tokens; see model.max_context."
    assert [one.interaction_id for one in result.unfit["longer than 256 tokens"]] == ["i0", "i1"]
