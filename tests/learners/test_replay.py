"""Where an update starts and what it sees again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.preference import PhaseRows, rows_to_train, with_replay
from learners.replay import (
    StartChoice,
    StartEvidence,
    choose_start,
    measure_row,
    sample_replay,
    sample_share,
    with_share,
)
from storage.records import Message, Origin, Row


def evidence(**changes: Any) -> StartEvidence:
    known = StartEvidence(
        champion_is_base=False,
        batch_rows=24,
        learned_rows=100,
        learned_effective=80.0,
        row_s=0.01,
        passes=8.0,
        budget_s=60.0,
    )
    return replace(known, **changes)


def rows(weights: list[float]) -> list[Row]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Row((Message("user", "q"),), "a", "target", 1.0, 1.0, weight, Origin(f"i{number}", 1), None, at)
        for number, weight in enumerate(weights)
    ]


def new_rows(count: int) -> tuple[Row, ...]:
    return tuple(replace(row, origin=Origin(f"new{number}", 1)) for number, row in enumerate(rows([1.0] * count)))


def test_the_first_update_starts_from_the_base() -> None:
    choice = choose_start("auto", evidence(champion_is_base=True, learned_rows=0, learned_effective=0.0))
    assert (choice.mode, choice.replay) == ("base", 0)


def test_while_it_fits_the_time_everything_learned_is_learned_again_from_the_base() -> None:
    choice = choose_start("auto", evidence())
    assert (choice.mode, choice.replay) == ("base", 80)
    assert "24 new and 80 replayed" in choice.reason


def test_when_it_does_not_fit_it_goes_on_from_the_champion_with_at_least_half_replay() -> None:
    choice = choose_start("auto", evidence(budget_s=5.0))
    assert choice.mode == "champion"
    assert choice.replay >= 24
    assert "do not fit" in choice.reason


def test_replay_from_the_champion_fills_the_time_there_is() -> None:
    roomy = choose_start("champion", evidence(budget_s=8.0))
    assert (roomy.mode, roomy.replay) == ("champion", 100 - 24)


def test_without_a_measurement_a_small_line_is_taken_to_fit_and_a_large_one_not() -> None:
    assert choose_start("auto", evidence(row_s=None)).mode == "base"
    assert choose_start("auto", evidence(row_s=None, learned_rows=5000, learned_effective=4000.0)).mode == "champion"


def test_what_is_configured_is_obeyed() -> None:
    assert choose_start("base", evidence(budget_s=0.1)).mode == "base"
    assert choose_start("champion", evidence()).mode == "champion"
    assert choose_start("champion", evidence(champion_is_base=True)).mode == "base"


@given(
    st.sampled_from(["auto", "base", "champion"]),
    st.integers(1, 300),
    st.integers(0, 3000),
    st.floats(0, 1),
    st.one_of(st.none(), st.floats(1e-4, 10)),
    st.floats(0.1, 7200),
)
def test_replay_never_exceeds_what_was_learned(
    wanted: Any, batch: int, learned: int, decay: float, row_s: float | None, budget_s: float
) -> None:
    choice = choose_start(
        wanted,
        evidence(
            batch_rows=batch, learned_rows=learned, learned_effective=learned * decay, row_s=row_s, budget_s=budget_s
        ),
    )
    assert 0 <= choice.replay <= learned
    if choice.mode == "champion":
        assert choice.replay >= min(batch, learned)


def test_a_sample_is_marked_ordered_bounded_and_repeatable() -> None:
    learned = rows([1.0] * 50)
    sample = sample_replay(learned, 10, seed=3)
    assert len(sample) == 10
    assert all(row.replay for row in sample)
    places = [int(row.origin.interaction_id[1:]) for row in sample]
    assert places == sorted(set(places))
    assert sample == sample_replay(learned, 10, seed=3)
    assert sample != sample_replay(learned, 10, seed=4)


def test_a_sample_leaves_out_the_batch_and_rows_of_no_weight() -> None:
    sample = sample_replay(rows([1.0, 0.0, 1.0, 1.0]), 4, seed=1, without={"i3"})
    assert [row.origin.interaction_id for row in sample] == ["i0", "i2"]
    assert sample_replay(rows([1.0]), 0, seed=1) == ()


def test_heavier_rows_are_drawn_more_often() -> None:
    learned = rows([1.0, 0.25])
    drawn = Counter(sample_replay(learned, 1, seed)[0].origin.interaction_id for seed in range(400))
    assert drawn["i0"] / 400 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("budget", [1, 20, 60, 99, 100])
def test_however_many_are_drawn_each_row_counts_its_weight_on_average(budget: int) -> None:
    """What the worker trains with: half of the rows are two half-lives old, one is very heavy."""
    learned = rows([1.0] * 50 + [0.25] * 49 + [6.0])
    counted = {"young": 0.0, "old": 0.0, "heavy": 0.0}
    for seed in range(200):
        for row in sample_replay(learned, budget, seed):
            place = int(row.origin.interaction_id[1:])
            counted["young" if place < 50 else "old" if place < 99 else "heavy"] += row.weight / 200
    assert sum(counted.values()) == pytest.approx(50 + 0.25 * 49 + 6), "without luck"
    assert counted["young"] == pytest.approx(50, rel=0.2)
    assert counted["old"] == pytest.approx(0.25 * 49, rel=0.3)


@pytest.mark.parametrize("budget", [30, 100, 200])
def test_trained_rows_two_half_lives_old_count_a_quarter_whether_all_or_some_are_drawn(budget: int) -> None:
    learned = rows([1.0] * 100 + [0.25] * 100)
    young = old = 0.0
    for seed in range(40):
        whole = PhaseRows("sft", new_rows(30), tuple(learned), ())
        (phase,) = with_replay([whole], sample_replay(learned, budget, seed), "off")
        trained = [(int(row.origin.interaction_id[1:]), row.weight) for row in rows_to_train(phase) if row.replay]
        young += sum(weight for place, weight in trained if place < 100)
        old += sum(weight for place, weight in trained if place >= 100)
    assert young / old == pytest.approx(4, rel=0.15)


def test_a_few_that_stand_for_very_many_count_no_more_than_as_many_new_ones() -> None:
    learned = rows([1.0] * 1000 + [0.25] * 1000)
    whole = PhaseRows("sft", new_rows(30), tuple(learned), ())
    (phase,) = with_replay([whole], sample_replay(learned, 30, seed=1), "off")
    assert [row.weight for row in rows_to_train(phase)] == pytest.approx([1.0] * 60)


def test_of_a_share_that_is_tried_each_row_counts_that_share_of_its_weight() -> None:
    learned, counted = rows([1.0] * 50 + [0.25] * 50), [0.0, 0.0]
    for seed in range(100):
        for row in sample_share(learned, 0.3, seed):
            counted[int(row.origin.interaction_id[1:]) >= 50] += row.weight / 100
    assert counted == pytest.approx([0.3 * 50, 0.3 * 50 * 0.25], rel=0.1)
    assert [row.weight for row in sample_share(learned, 1.0, seed=1)] == [row.weight for row in learned]


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=60), st.integers(0, 70), st.integers(0, 9))
def test_as_many_are_drawn_as_there_is_room_for_and_they_count_what_all_do(
    weights: list[float], budget: int, seed: int
) -> None:
    drawn = sample_replay(rows(weights), budget, seed)
    assert len(drawn) == min(budget, len(weights))
    if budget:
        assert sum(row.weight for row in drawn) == pytest.approx(sum(weights))
        assert all(row.weight >= weights[int(row.origin.interaction_id[1:])] for row in drawn)


def test_the_time_of_a_row_is_the_median_of_the_newest_runs() -> None:
    """One slow run, and what was long ago, do not count."""
    runs = [(2.0, 100), (40.0, 200), (3.0, 100), (2.0, 100), (0.0, 0), (3.0, 100), *[(900.0, 10)] * 9]
    assert measure_row(runs) == pytest.approx(0.03)
    assert measure_row([]) is None
    assert measure_row([(5.0, 0)]) is None


def test_a_measured_time_decides_where_to_start_and_says_so() -> None:
    """104 rows, 8 passes: 8.3 s at 0.01 s a row fit 60 s, 166 s at 0.2 s do not."""
    fast = choose_start("auto", evidence(row_s=measure_row([(10.0, 1000)])))
    slow = choose_start("auto", evidence(row_s=measure_row([(200.0, 1000)])))
    assert (fast.mode, slow.mode) == ("base", "champion")
    assert "104 rows do not fit (37 would, 0.2 s a row, 8 passes, 60 s)" in slow.reason


def test_steps_that_do_not_grow_with_the_rows_fit_any_number_of_them() -> None:
    """So few passes over so many rows are less than one each."""
    many = evidence(learned_rows=5000, learned_effective=4000.0, passes=0.1)
    assert choose_start("auto", many).mode == "base"


@pytest.mark.parametrize(
    ("mode", "replay", "share", "kept"),
    [
        ("base", 40, 1.0, 40),
        ("base", 40, 0.25, 10),
        ("base", 3, 0.1, 1),
        ("champion", 40, 0.25, 20),
        ("champion", 8, 0.5, 8),
    ],
)
def test_a_share_of_the_replay_is_kept_and_from_the_champion_no_less_than_is_new(
    mode: Literal["base", "champion"], replay: int, share: float, kept: int
) -> None:
    found = with_share(StartChoice(mode, replay, "why"), share, batch_rows=20)
    assert found.replay == kept
    assert ("replayed (share" in found.reason) == (kept != replay)
