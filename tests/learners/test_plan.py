"""Plans are random, even and repeatable."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.methods.sft import SftSettings
from learners.plan import (
    MAX_STEPS,
    MIN_STEPS,
    PASSES,
    Plan,
    in_passes,
    keep_apart,
    once_each,
    passes_of,
    passes_told,
    random_plan,
    steps_for,
)


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 30), st.integers())
def test_every_pass_sees_each_row_once_and_no_step_holds_a_row_twice(
    n_rows: int, batch_size: int, steps: int, seed: int
) -> None:
    plan = random_plan(n_rows, batch_size=batch_size, steps=steps, seed=seed)
    assert len(plan.steps) == steps
    assert all(len(step) == len(set(step)) == min(batch_size, n_rows) for step in plan.steps)
    seen = Counter(row for step in plan.steps for row in step)
    assert set(seen) <= set(range(n_rows))
    if steps:
        assert max(seen.values()) - min(seen[row] for row in range(n_rows)) <= 1


def test_a_seed_gives_its_plan_again_and_another_seed_another() -> None:
    def plan(seed: int) -> object:
        return random_plan(20, batch_size=8, steps=10, seed=seed)

    assert plan(1) == plan(1) != plan(2)


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        random_plan(0, batch_size=8, steps=1, seed=0)


def test_steps_follow_the_rows_within_bounds() -> None:
    assert steps_for(1, 8, "auto") == MIN_STEPS
    assert steps_for(100, 8, "auto") == PASSES * 100 // 8
    assert steps_for(100_000, 8, "auto") == MAX_STEPS
    assert steps_for(100, 8, 7) == 7


def test_passes_make_more_steps_the_more_rows_there_are() -> None:
    assert [steps_for(rows, 8, "6 passes") for rows in (4, 24, 240, 2000)] == [6, 18, 180, MAX_STEPS]
    assert steps_for(8, 8, "0.25 passes") == 1
    assert steps_for(24, 8, in_passes(passes_of(25, 24, 8))) == 25


@pytest.mark.parametrize("steps", ["0 passes", "0.0 passes", "-1 passes", "six passes", "6", "passes"])
def test_no_passes_at_all_are_refused(steps: str) -> None:
    with pytest.raises(ValueError, match="such as `6 passes`"):
        passes_told(steps)
    if steps != "6":  # a number in quotes is one
        with pytest.raises(ValueError, match="steps"):
            SftSettings.model_validate({"steps": steps})


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(2, 9), st.integers(1, 25), st.integers())
def test_rows_of_one_key_never_meet_in_a_step(keys: list[int], batch_size: int, steps: int, seed: int) -> None:
    plan = random_plan(len(keys), batch_size=batch_size, steps=steps, seed=seed)
    apart = keep_apart(plan, keys)
    assert len(apart.steps) == steps
    planned = {keys[place] for step in plan.steps for place in step}
    for before, step in zip(plan.steps, apart.steps, strict=True):
        assert len({keys[place] for place in step}) == len(step) == min(len(before), len(planned))


def test_a_plan_in_which_nothing_meets_stays_as_it_is() -> None:
    plan = random_plan(12, batch_size=4, steps=9, seed=3)
    assert keep_apart(plan, range(12)) == plan


def test_a_row_that_would_meet_its_like_waits_for_the_next_step() -> None:
    assert keep_apart(Plan(((0, 1), (2, 3))), ["a", "a", "b", "c"]) == Plan(((0, 2), (1, 3)))


def test_no_row_leaves_its_stage_to_fill_a_step() -> None:
    plan = Plan(((0, 1, 2), (2, 1, 0), (0, 3, 4), (1, 5, 2)))
    apart = keep_apart(plan, ["a", "a", "b", "c", "d", "e"], stages=(2, 2))
    assert apart == Plan(((0, 2), (1, 2), (0, 3, 4), (1, 5, 2)))


@given(st.lists(st.integers(0, 3), min_size=9, max_size=30), st.integers(2, 6), st.integers())
def test_a_stage_is_trained_on_the_rows_that_it_draws_on(keys: list[int], size: int, seed: int) -> None:
    easy = random_plan(3, batch_size=size, steps=5, seed=seed)
    whole = random_plan(len(keys), batch_size=size, steps=4, seed=seed)
    apart = keep_apart(Plan((*easy.steps, *whole.steps)), keys, stages=(5, 4))
    assert {place for step in apart.steps[:5] for place in step} <= {0, 1, 2}
    assert apart.steps[5:] == keep_apart(whole, keys).steps


def test_each_row_is_read_once_and_none_alone() -> None:
    keys = [1, 1, 2, 1, 3, 3]
    steps = once_each(keys, 2)
    assert all(len({keys[place] for place in step}) == len(step) == 2 for step in steps)
    assert sorted(place for step in steps for place in step) == list(range(6))
    assert once_each([1, 1, 1], 2) == ()
