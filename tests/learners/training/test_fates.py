"""What is learned is what a step saw; why the rest was not decides what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from learners.job import Base, Phase, PhaseResult, Start, TrainJob
from learners.plan import Plan
from tests.learners.training.tiny import row

if TYPE_CHECKING:
    from learners.training.bench import Bench
    from learners.training.fates import Fates

pytestmark = pytest.mark.train

LONG, SOLVED = "longer than 9 tokens", "solved under the champion"


JOB = TrainJob(
    task="tiny",
    update_id=1,
    candidate="tiny@v1",
    phases=(Phase(method="sft"),),
    seed=7,
    base=Base(path="", hash=""),
    start=Start(mode="base"),
)


def bench(kept: Sequence[int], steps: Sequence[Sequence[int]], lost: dict[int, tuple[str, Any]]) -> Bench:
    """One phase on those lines; `steps` hold lines too."""
    from learners.training.bench import Bench
    from learners.training.rows import Encoded, EncodedRow, Lost

    rows = Encoded(
        tuple(EncodedRow(line, (1,), (2,), 1.0, replay=False) for line in kept),
        {line: Lost(*each) for line, each in lost.items()},
    )
    plan = Plan(tuple(tuple(kept.index(line) for line in step) for step in steps))
    return Bench(Path(), JOB, JOB.phases[0], None, None, rows, Encoded((), {}), plan, 0, len(steps))


def fates(benches: Sequence[Bench], given: Sequence[Any], results: Sequence[PhaseResult], **more: Any) -> Fates:
    from learners.training.fates import fates_of

    return fates_of(given, more.get("batch"), benches, more.get("noise", ()), results)


def names(origins: Sequence[Any]) -> list[str]:
    return [origin.interaction_id for origin in origins]


def test_what_no_step_saw_is_unseen_and_steps_after_the_best_count_for_nothing() -> None:
    given, one = [row(at) for at in range(6)], bench(range(6), [(0, 1), (2, 3), (4,)], {})
    whole = fates([one], given, [PhaseResult(method="sft", steps=3)])
    assert names(whole.unseen) == ["i5"]
    stopped = fates([one], given, [PhaseResult(method="sft", steps=2, best_step=1)])
    assert names(stopped.unseen) == ["i2", "i3", "i4", "i5"]


def test_noise_and_what_cannot_be_trained_on_are_told_apart_from_what_was_not_seen() -> None:
    lost = {3: (LONG, "unfit"), 4: (SOLVED, "known"), 5: ("no answer was disliked", "unseen")}
    found = fates(
        [bench(range(3), [(0,)], lost)],
        [row(at) for at in range(6)],
        [PhaseResult(method="sft", steps=1)],
        noise={1},
    )
    assert names(found.left_out) == ["i1"]
    assert names(found.unseen) == ["i2", "i5"]
    assert {why: names(them) for why, them in found.unfit.items()} == {LONG: ["i3"]}


def test_an_example_is_learned_where_one_of_its_rows_was_seen_and_a_made_one_is_its_parents() -> None:
    given = [row(0), row(1), row(0), replace(row(1), made="renaming"), row(2, replay=True)]
    found = fates([bench((1, 2, 3), [(2, 3)], {0: (LONG, "unfit")})], given, [PhaseResult(method="sft", steps=1)])
    assert (found.unseen, found.unfit) == ((), {})


def test_of_what_was_not_chosen_only_the_unfit_are_told() -> None:
    given = [row(at) for at in range(3)]
    one = bench((0,), [(0,)], {2: (LONG, "unfit")})
    found = fates([one], given, [PhaseResult(method="sft", steps=1)], batch=(given[0].origin,))
    assert (found.unseen, names(found.unfit[LONG])) == ((), ["i2"])
