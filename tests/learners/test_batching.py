"""Ripe or not: what moves the need, what counts towards it, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from learners.batching import (
    POOL_MAX,
    BatchEvidence,
    BatchExample,
    BatchingSettings,
    decide,
    in_order,
    measure,
    need_of,
    rarity_of,
    trend_of,
)
from storage.records import Origin

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = BatchingSettings()


def example(number: int, *users: str, lot: float = 0.0) -> BatchExample:
    return BatchExample(Origin(f"i{number}", 1), users, lot)


def spread(count: int, users: int) -> tuple[BatchExample, ...]:
    return tuple(example(number, f"u{number % users}") for number in range(count))


def evidence(
    *,
    arrivals_per_hour: float = 100 / 24,
    mean_signal: float | None = 0.5,
    signal_trend: float = 0.0,
    rarity: float = 0.0,
    oldest_wait_s: float = 0.0,
    examples: tuple[BatchExample, ...] = (),
) -> BatchEvidence:
    return BatchEvidence("erd", NOW, oldest_wait_s, arrivals_per_hour, mean_signal, signal_trend, rarity, examples)


def with_one(known: BatchEvidence, what: str, value: float) -> BatchEvidence:
    change: dict[str, Any] = {what: value}
    return replace(known, **change)


# One row: what alone is raised, from where to where, and which way the need goes.
TABLE = [
    ("arrivals_per_hour", (0, 1, 4, 20, 1000), +1),
    ("mean_signal", (0.0, 0.25, 0.5, 0.75, 1.0), -1),
    ("rarity", (0.0, 0.25, 0.5, 0.75, 1.0), -1),
    ("signal_trend", (-0.5, -0.25, 0.0, 0.25, 0.5), +1),
]


@pytest.mark.parametrize(("what", "values", "direction"), TABLE, ids=[row[0] for row in TABLE])
def test_each_of_the_four_alone_moves_the_need_its_way(what: str, values: tuple[float, ...], direction: int) -> None:
    needs = [need_of(with_one(evidence(), what, value), SETTINGS) for value in values]
    steps = [direction * (after - before) for before, after in pairwise(needs)]
    assert all(step > 0 for step in steps), needs
    assert all(SETTINGS.min <= need <= SETTINGS.max for need in needs)


def test_the_need_reaches_the_whole_way_from_min_to_max() -> None:
    least = evidence(arrivals_per_hour=0, mean_signal=1, rarity=1, signal_trend=-1)
    most = evidence(arrivals_per_hour=1e12, mean_signal=0, rarity=0, signal_trend=1)
    assert (need_of(least, SETTINGS), need_of(most, SETTINGS)) == (20, 100)


anything = st.builds(
    evidence,
    arrivals_per_hour=st.floats(0, 1e9),
    mean_signal=st.none() | st.floats(0, 1),
    signal_trend=st.floats(-1, 1),
    rarity=st.floats(0, 1),
)
sizes = st.tuples(st.integers(1, 300), st.integers(1, 300)).map(sorted)


@given(anything, sizes)
def test_the_need_never_leaves_min_and_max(known: BatchEvidence, size: list[int]) -> None:
    settings = BatchingSettings(min=size[0], max=size[1])
    assert settings.min <= need_of(known, settings) <= settings.max


@given(anything, st.sampled_from(TABLE), st.data())
def test_each_of_the_four_is_monotone_wherever_the_others_are(
    known: BatchEvidence, row: tuple[str, tuple[float, ...], int], data: st.DataObject
) -> None:
    what, values, direction = row
    low, high = sorted(data.draw(st.tuples(*[st.floats(values[0], values[-1])] * 2)))
    before, after = (need_of(with_one(known, what, value), SETTINGS) for value in (low, high))
    assert direction * (after - before) >= 0


def test_enough_examples_of_enough_users_are_ripe() -> None:
    need = need_of(evidence(), SETTINGS)
    assert not decide(evidence(examples=spread(need - 1, 10)), SETTINGS).ripe
    ripe = decide(evidence(examples=spread(need, 10)), SETTINGS)
    assert (ripe.ripe, ripe.state, ripe.have, len(ripe.batch)) == (True, "ripe", need, need)


def test_a_waiting_batch_reserves_nothing() -> None:
    waiting = decide(evidence(examples=spread(5, 5)), SETTINGS)
    assert (waiting.state, waiting.pool, waiting.batch) == ("waiting", (), ())


def test_after_max_wait_the_fewest_are_enough() -> None:
    few = evidence(examples=spread(20, 10))
    assert decide(few, SETTINGS).state == "waiting"
    waited = decide(replace(few, oldest_wait_s=86400), SETTINGS)
    assert (waited.state, waited.need, waited.cap) == ("ripe", 20, 4)


def test_max_wait_never_waives_min_users_or_caps() -> None:
    long = 10 * 86400.0
    assert not decide(evidence(oldest_wait_s=long, examples=spread(19, 10)), SETTINGS).ripe
    assert not decide(evidence(oldest_wait_s=long, examples=spread(80, 4)), SETTINGS).ripe
    shared = BatchingSettings(max_share_per_user=1, min_users=5)
    assert not decide(evidence(oldest_wait_s=long, examples=spread(80, 4)), shared).ripe
    assert decide(evidence(oldest_wait_s=long, examples=spread(80, 5)), shared).ripe


def test_have_counts_after_caps() -> None:
    loud = tuple(example(100 + number, "loud") for number in range(50))
    decision = decide(evidence(examples=(*loud, *spread(10, 10))), SETTINGS)
    assert decision.cap == ceil(0.2 * decision.need)
    assert decision.have == 10 + decision.cap


def test_a_flood_by_one_user_neither_fills_nor_crowds_out_a_batch() -> None:
    flood = tuple(example(1000 + number, "hostile", lot=-2.0) for number in range(1000))
    honest = spread(200, 9)
    decision = decide(evidence(examples=flood + honest), SETTINGS)
    hostile = {one.origin for one in flood}
    assert decision.ripe
    assert sum(origin in hostile for origin in decision.batch) <= decision.cap < len(decision.batch) / 4
    assert sum(origin in hostile for origin in decision.pool) <= 60
    alone = decide(evidence(oldest_wait_s=1e9, examples=flood), SETTINGS)
    assert (alone.ripe, alone.have) == (False, 4)


some_examples = st.lists(
    st.tuples(st.lists(st.sampled_from("abcdefgh"), max_size=3), st.floats(0, 4)), max_size=400
).map(lambda given: tuple(example(at, *users, lot=lot) for at, (users, lot) in enumerate(given)))


@given(some_examples, st.floats(0.05, 1), st.integers(1, 6), st.floats(0, 2e5))
def test_no_batch_ever_breaks_a_cap_or_lacks_users(
    examples: tuple[BatchExample, ...], share: float, min_users: int, wait_s: float
) -> None:
    settings = BatchingSettings(min=5, max=40, max_share_per_user=share, min_users=min_users)
    decision = decide(evidence(oldest_wait_s=wait_s, examples=examples), settings)
    users_of = {one.origin: set(one.users or ("",)) for one in examples}
    for user in [*"abcdefgh", ""]:
        assert sum(user in users_of[origin] for origin in decision.batch) <= decision.cap
    assert decision.cap == ceil(share * decision.need)
    assert set(decision.batch) <= set(decision.pool)
    assert len(decision.pool) <= POOL_MAX
    if decision.ripe:
        assert decision.need <= len(decision.batch) <= settings.max
        assert len(set.union(*(users_of[origin] for origin in decision.batch))) >= min_users


def test_the_pool_is_the_newest_and_the_batch_those_of_the_first_lots() -> None:
    examples = tuple(example(number, f"u{number % 10}", lot=-float(number)) for number in range(400))
    decision = decide(evidence(examples=examples), SETTINGS)
    assert [origin.interaction_id for origin in decision.pool] == [f"i{number}" for number in range(300)]
    assert {f"i{number}" for number in range(299, 250, -1)} <= {origin.interaction_id for origin in decision.batch}
    assert len(decision.batch) <= 10 * decision.cap


def test_a_batch_is_opened_by_as_many_users_as_it_must_have() -> None:
    first = tuple(example(number, "loud", lot=0.0) for number in range(100))
    last = tuple(example(100 + number, f"u{number}", lot=9.0) for number in range(4))
    settings = BatchingSettings(min=20, max=20, max_share_per_user=1)
    decision = decide(evidence(examples=first + last), settings)
    assert (decision.ripe, decision.users, len(decision.batch)) == (True, 5, 20)


def test_examples_without_a_user_count_as_one_user_together_and_it_says_so() -> None:
    nameless = tuple(example(number) for number in range(100))
    decision = decide(evidence(examples=nameless), SETTINGS)
    assert (decision.have, decision.users) == (decision.cap, 1)
    assert "examples without user_id count as one user" in decision.reason
    assert decide(evidence(examples=nameless), BatchingSettings(min_users=1, max_share_per_user=1)).ripe


def test_the_reason_is_in_words_and_numbers() -> None:
    rising = decide(evidence(signal_trend=0.4, examples=spread(12, 2)), SETTINGS)
    assert rising.reason == (
        f"12 of {rising.need} examples, 2 of 5 users: quality rising, feedback of 3 more users is needed"
    )
    capped = decide(evidence(examples=spread(100, 5)), BatchingSettings(max_share_per_user=0.1))
    assert f"{100 - capped.have} more are over the cap of {capped.cap} a user" in capped.reason


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (evidence(arrivals_per_hour=1000), "many arrive"),
        (evidence(arrivals_per_hour=0), "few arrive"),
        (evidence(mean_signal=1), "quality high"),
        (evidence(mean_signal=0), "quality low"),
        (evidence(signal_trend=-0.5), "quality falling"),
        (evidence(rarity=0.9), "rare task"),
        (evidence(), "nothing out of the ordinary"),
        (evidence(oldest_wait_s=1e6), "waited long enough for the fewest"),
    ],
)
def test_the_reason_names_what_moves_the_need(known: BatchEvidence, words: str) -> None:
    assert words in decide(known, SETTINGS).reason


def test_a_trend_is_the_rise_of_the_fitted_line() -> None:
    assert trend_of([number / 100 for number in range(20)]) == pytest.approx(0.19)
    assert trend_of([0.5] * 20) == 0
    assert trend_of([0.0, 1.0]) == 0  # too few to tell


def test_a_task_is_rare_below_its_even_share() -> None:
    arrivals = {"erd": 10, "sql": 30, "chat": 20}
    assert rarity_of("erd", arrivals) == pytest.approx(0.5)
    assert rarity_of("sql", arrivals) == 0
    assert rarity_of("new", {**arrivals, "new": 0}) == 1
    assert rarity_of("erd", {"erd": 3}) == rarity_of("erd", {}) == 0


def test_measuring_brings_the_store_s_counts_into_evidence() -> None:
    signals = [(NOW + timedelta(minutes=minute), minute / 20) for minute in range(20)]
    known = measure(
        "erd",
        NOW,
        SETTINGS,
        arrivals={"erd": 48, "sql": 144},
        signals=list(reversed(signals)),
        oldest_at=NOW - timedelta(hours=2),
        examples=spread(3, 3),
    )
    assert known.arrivals_per_hour == pytest.approx(2)
    assert known.oldest_wait_s == 7200
    assert known.mean_signal == pytest.approx(0.475)
    assert known.signal_trend == pytest.approx(0.95)
    assert known.rarity == pytest.approx(0.5)


def test_a_max_below_min_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"below batching\.min"):
        BatchingSettings(min=50, max=40)


def test_signals_of_one_time_stay_in_the_order_they_were_received_in() -> None:
    """An import, or a clock of whole days: in order of their values, half up and half down would be a sure rise."""
    received = [float(number % 2) for number in range(20)]
    late = (NOW - timedelta(hours=1), 0.5)  # given before the others, received after them
    last_first = [late, *((NOW, signal) for signal in reversed(received))]
    assert in_order(last_first) == [0.5, *received]
    counted = {"arrivals": {"erd": 20}, "oldest_at": None, "examples": ()}
    measured = measure("erd", NOW, SETTINGS, signals=last_first[1:], **counted)  # type: ignore[arg-type]
    assert measured.signal_trend == pytest.approx(trend_of(received))
    assert measured.signal_trend < 0.2
