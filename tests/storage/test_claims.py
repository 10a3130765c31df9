"""Claims: any number may think they hold a stream; one moves it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from storage import claims
from storage.claims import IntakeTotals
from storage.records import Claim, Stream
from storage.store import Store
from tests.storage.makers import STREAM


def test_the_first_claim_resolves_the_start_and_later_ones_go_on_where_it_stands(store: Store) -> None:
    first = store.write(lambda tx: claims.take(tx, STREAM, lambda: 7))
    assert first == Claim(STREAM, position=7, epoch=1)
    assert store.write(lambda tx: claims.advance(tx, first, 7, 12))
    second = store.write(lambda tx: claims.take(tx, STREAM, lambda: pytest.fail("asked again")))
    assert second == Claim(STREAM, position=12, epoch=2)
    assert store.read(lambda tx: claims.claim_of(tx, STREAM)) == second


def test_a_stream_that_nobody_took_has_no_claim(store: Store) -> None:
    assert store.read(lambda tx: claims.claim_of(tx, STREAM)) is None


def test_a_zombie_moves_nothing(store: Store) -> None:
    old = store.write(lambda tx: claims.take(tx, STREAM, 0))
    new = store.write(lambda tx: claims.take(tx, STREAM, 0))
    assert not store.write(lambda tx: claims.advance(tx, old, 0, 5))
    assert store.write(lambda tx: claims.advance(tx, new, 0, 5))


def test_the_same_batch_counts_once(store: Store) -> None:
    claim = store.write(lambda tx: claims.take(tx, STREAM, 0))
    assert store.write(lambda tx: claims.advance(tx, claim, 0, 5))
    assert not store.write(lambda tx: claims.advance(tx, claim, 0, 5))


def test_a_batch_that_skips_a_gap_is_refused(store: Store) -> None:
    claim = store.write(lambda tx: claims.take(tx, STREAM, 0))
    assert not store.write(lambda tx: claims.advance(tx, claim, 3, 5))


ACTIONS = st.sampled_from(["take", "advance", "reread"])


@given(st.lists(st.tuples(ACTIONS, st.integers(0, 1), st.integers(1, 5)), max_size=30))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_order_of_two_claimants_every_position_is_passed_once(
    empty: Engine, order: list[tuple[str, int, int]]
) -> None:
    """A model of two daemons: each position from 0 on is covered by exactly one successful advance, in order."""
    passed: list[tuple[int, int]] = []
    held: dict[int, Claim] = {}
    at: dict[int, int] = {}
    newest = 0
    with empty.connect() as tx:
        for action, who, size in order:
            if action == "take":
                held[who] = claims.take(tx, STREAM, 0)
                at[who], newest = held[who].position, held[who].epoch
            elif action == "reread" and who in held:
                at[who] = max(0, at[who] - size)  # a re-delivery of what was handed over before
            elif who in held:
                moved = claims.advance(tx, held[who], at[who], at[who] + size)
                stands = claims.claim_of(tx, STREAM)
                assert stands is not None
                assert not moved or held[who].epoch == newest
                if moved:
                    passed.append((at[who], at[who] + size))
                    assert stands.position == at[who] + size
                at[who] += size
    assert [before for before, _ in passed] == [0, *(after for _, after in passed)][: len(passed)]


def test_counters_add_up_over_streams_and_sources(store: Store) -> None:
    def counts(tx: object) -> None:
        other = Stream("file/1", "f")
        claims.count(tx, STREAM, received=3, stored=2, dead_letters=1)  # type: ignore[arg-type]
        claims.count(tx, STREAM, received=1, duplicates=1)  # type: ignore[arg-type]
        claims.count(tx, other, lost=4)  # type: ignore[arg-type]
        claims.count(tx, "http", received=2, stored=2)  # type: ignore[arg-type]

    store.write(counts)
    expected = IntakeTotals(received=6, stored=4, duplicates=1, dead_letters=1, lost=4)
    assert store.read(claims.totals) == expected


def test_counting_before_the_first_claim_leaves_the_start_to_the_claim(store: Store) -> None:
    store.write(lambda tx: claims.count(tx, STREAM, lost=4))
    assert store.read(lambda tx: claims.claim_of(tx, STREAM)) is None
    assert store.write(lambda tx: claims.take(tx, STREAM, 9)).position == 9


def test_an_empty_store_has_counted_nothing(store: Store) -> None:
    assert store.read(claims.totals) == IntakeTotals()


def test_the_negative_control_lets_a_zombie_through(url: str) -> None:
    with Store.open(url, unsafe_without_claim=True) as store:
        old = store.write(lambda tx: claims.take(tx, STREAM, 0))
        store.write(lambda tx: claims.take(tx, STREAM, 0))
        assert store.write(lambda tx: claims.advance(tx, old, 0, 5))
