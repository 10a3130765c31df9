"""The curriculum goes from short to long and says so."""

from datetime import UTC, datetime
from statistics import fmean

import pytest

from learners.curriculum import ScheduleContext, schedule
from storage.records import Message, Origin, Row

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONTEXT = ScheduleContext(batch_size=4, seed=3)


def row(length: int) -> Row:
    return Row((Message("user", "p"),), "x" * length, "target", 1.0, 1.0, 1.0, Origin(str(length), 1), None, NOW)


ROWS = [row(length) for length in (90, 10, 50, 30, 70, 20, 80, 40, 60)]


def test_the_stages_go_from_the_easy_third_to_all_rows() -> None:
    steps = schedule(ROWS, 30, CONTEXT).plan.steps
    reached = [{len(ROWS[at].completion) for step in steps[a : a + 10] for at in step} for a in (0, 10, 20)]
    assert reached == [{10, 20, 30}, {10, 20, 30, 40, 50, 60}, {10, 20, 30, 40, 50, 60, 70, 80, 90}]
    assert fmean(reached[0]) < fmean(reached[1]) < fmean(reached[2])


def test_each_stage_is_reported() -> None:
    assert schedule(ROWS, 10, CONTEXT).reasons == (
        "easy: 3 steps on the 3 rows of at most 30 characters",
        "medium: 3 steps on the 6 rows of at most 60 characters",
        "hard: 4 steps on the 9 rows of at most 90 characters",
    )


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_few_rows_or_steps_make_a_plan_too(steps: int, count: int) -> None:
    plan = schedule(ROWS[:count], steps, CONTEXT).plan
    assert len(plan.steps) == steps
    assert all(len(set(step)) == len(step) > 0 for step in plan.steps)


def test_a_seed_gives_its_schedule_again() -> None:
    assert schedule(ROWS, 12, CONTEXT) == schedule(ROWS, 12, CONTEXT)
    assert schedule(ROWS, 12, CONTEXT).plan != schedule(ROWS, 12, ScheduleContext(4, seed=4)).plan


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        schedule([], 3, CONTEXT)
