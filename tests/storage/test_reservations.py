"""A revision is in at most one live pool and is learned at most once; every outcome has its fate (I3)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from storage import buffer, reservations
from storage.errors import StalePool, StorageError
from storage.records import Fold, Origin
from storage.reservations import Outcome, Released
from storage.store import Store
from storage.tables import example as examples
from storage.tables import reservation
from tests.storage.makers import NOW, example, keep
from tests.storage.pools import new_update, open_ones, reserved


def test_reserved_examples_are_not_open_and_come_back_with_their_pool(store: Store) -> None:
    number, pool = reserved(store, "a", "b")
    assert open_ones(store) == []
    assert store.read(lambda tx: reservations.reserved_examples(tx, number)) == [
        (pool[0], example("a")),
        (pool[1], example("b")),
    ]


def test_a_revision_cannot_be_reserved_twice(store: Store) -> None:
    _, pool = reserved(store, "a")
    second = store.write(new_update)
    with pytest.raises(StalePool):
        store.write(lambda tx: reservations.reserve(tx, second, pool, NOW))


def test_the_unique_index_refuses_a_second_live_reservation_by_itself(store: Store) -> None:
    reserved(store, "a")
    second = store.write(new_update)

    def force(tx: Connection) -> None:
        row = dict(tx.execute(select(reservation)).mappings().one())
        tx.execute(reservation.insert().values(row | {"update_id": second}))

    with pytest.raises(IntegrityError):
        store.write(force)


def test_the_unique_index_refuses_to_learn_a_revision_twice(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: reservations.release(tx, number, pool, "promoted"))
    second = store.write(new_update)

    def force(tx: Connection) -> None:
        row = dict(tx.execute(select(reservation)).mappings().one())
        tx.execute(reservation.insert().values(row | {"update_id": second, "state": "learned"}))

    with pytest.raises(IntegrityError):
        store.write(force)


def test_reserve_takes_all_or_nothing(store: Store) -> None:
    pool = store.write(lambda tx: keep(tx, example("a")))
    number = store.write(new_update)
    with pytest.raises(StalePool, match="1 of 2"):
        store.write(lambda tx: reservations.reserve(tx, number, [*pool, Origin("b", 1)], NOW))
    assert open_ones(store) == ["a"]


@pytest.mark.parametrize("fold", ["gate", "dev"])
def test_held_out_examples_can_never_enter_a_pool(store: Store, fold: Fold) -> None:
    pool = store.write(lambda tx: keep(tx, example("a"), fold=fold))
    number = store.write(new_update)
    with pytest.raises(StalePool):
        store.write(lambda tx: reservations.reserve(tx, number, pool, NOW))


def test_an_old_revision_cannot_be_reserved(store: Store) -> None:
    old = store.write(lambda tx: keep(tx, example("a")))
    store.write(lambda tx: keep(tx, example("a", revision=2)))
    number = store.write(new_update)
    with pytest.raises(StalePool):
        store.write(lambda tx: reservations.reserve(tx, number, old, NOW))


def test_a_pool_needs_its_update(store: Store) -> None:
    with pytest.raises(StorageError, match="no update 7"):
        store.write(lambda tx: reservations.reserve(tx, 7, [], NOW))


def test_promoted_the_used_are_learned_and_the_rest_return(store: Store) -> None:
    number, (a, _) = reserved(store, "a", "b")
    assert store.write(lambda tx: reservations.release(tx, number, [a], "promoted")) == Released(learned=1, returned=1)
    assert open_ones(store) == ["b"]
    assert [one.interaction_id for one in store.read(lambda tx: buffer.learned_examples(tx, "erd", 9))] == ["a"]


def test_held_the_used_stay_reserved_and_the_rest_return(store: Store) -> None:
    number, (a, _) = reserved(store, "a", "b")
    assert store.write(lambda tx: reservations.release(tx, number, [a], "held")) == Released(returned=1, kept=1)
    assert open_ones(store) == ["b"]
    assert store.write(lambda tx: reservations.release(tx, number, [a], "promoted")) == Released(learned=1)
    assert open_ones(store) == ["b"]


@pytest.mark.parametrize("outcome", ["superseded", "failed", "cancelled", "expired"])
def test_other_ends_return_all_at_full_weight(store: Store, outcome: Outcome) -> None:
    number, pool = reserved(store, "a", "b")
    assert store.write(lambda tx: reservations.release(tx, number, pool[:1], outcome)) == Released(returned=2)
    assert sorted(open_ones(store)) == ["a", "b"]
    assert store.read(lambda tx: reservations.half_weighted(tx, "erd", pool)) == frozenset()


def test_rejected_once_at_half_weight_twice_set_aside(store: Store) -> None:
    number, (a, b) = reserved(store, "a", "b")
    once = store.write(lambda tx: reservations.release(tx, number, [a], "rejected"))
    assert once == Released(returned=2, half_weight=1)
    assert store.read(lambda tx: reservations.half_weighted(tx, "erd", [a, b])) == frozenset({a})

    second = store.write(new_update)
    store.write(lambda tx: reservations.reserve(tx, second, [a, b], NOW))
    twice = store.write(lambda tx: reservations.release(tx, second, [a, b], "rejected"))
    assert twice == Released(returned=1, half_weight=1, set_aside=1)
    assert open_ones(store) == ["b"]


def test_releasing_again_does_nothing(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: reservations.release(tx, number, pool, "failed"))
    assert store.write(lambda tx: reservations.release(tx, number, pool, "promoted")) == Released()
    assert open_ones(store) == ["a"]


def test_a_pool_that_keeps_breaking_is_set_aside_with_its_reason(store: Store) -> None:
    number, _ = reserved(store, "a", "b")
    assert store.write(lambda tx: reservations.set_aside(tx, number, "crashed 3 times")) == 2
    assert open_ones(store) == []
    reasons = store.read(lambda tx: set(tx.execute(select(examples.c.set_aside_reason)).scalars()))
    assert reasons == {"crashed 3 times"}


@pytest.mark.parametrize("fate", ["promoted", "rejected", "set aside", "reserved"])
def test_a_new_revision_is_open_whatever_became_of_the_one_before(store: Store, fate: str) -> None:
    number, pool = reserved(store, "a")
    if fate == "set aside":
        store.write(lambda tx: reservations.set_aside(tx, number, "broke"))
    elif fate != "reserved":
        store.write(lambda tx: reservations.release(tx, number, pool, fate))  # type: ignore[arg-type]
    new = store.write(lambda tx: keep(tx, example("a", revision=2)))
    assert open_ones(store) == ["a"]
    assert store.read(lambda tx: reservations.half_weighted(tx, "erd", new)) == frozenset()
    assert store.read(lambda tx: buffer.learned_examples(tx, "erd", 9)) == []


def test_promoting_an_old_revision_late_leaves_the_new_one_open(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: keep(tx, example("a", revision=2)))
    store.write(lambda tx: reservations.release(tx, number, pool, "promoted"))
    assert open_ones(store) == ["a"]


def test_what_was_retracted_leaves_replay_and_held_out_evidence(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: reservations.release(tx, number, pool, "promoted"))
    store.write(lambda tx: keep(tx, example("a", withdrawn=True)))
    store.write(lambda tx: keep(tx, example("g", withdrawn=True), fold="gate"))
    store.write(lambda tx: keep(tx, example("d", withdrawn=True), fold="dev"))
    assert store.read(lambda tx: buffer.learned_examples(tx, "erd", 9)) == []
    assert store.read(lambda tx: buffer.gate_examples(tx, "erd")) == []
    assert store.read(lambda tx: buffer.dev_examples(tx, "erd", 9)) == []


def test_what_a_training_left_out_returns_once_at_half_weight_and_is_set_aside_the_second_time(store: Store) -> None:
    number, pool = reserved(store, "noisy", "clean")
    out = store.write(lambda tx: reservations.leave_out(tx, number, pool[:1], "noise"))
    assert (out.half_weight, out.set_aside, out.returned) == (1, 0, 1)
    store.write(lambda tx: reservations.release(tx, number, pool[1:], "promoted"))
    assert open_ones(store) == ["noisy"]
    assert store.read(lambda tx: reservations.half_weighted(tx, "erd", pool)) == {pool[0]}
    second = store.write(new_update)
    store.write(lambda tx: reservations.reserve(tx, second, pool[:1], NOW))
    assert store.write(lambda tx: reservations.leave_out(tx, second, pool[:1], "noise")).set_aside == 1
    assert open_ones(store) == []


def test_a_part_of_a_pool_can_be_set_aside(store: Store) -> None:
    number, pool = reserved(store, "too long", "fits")
    assert store.write(lambda tx: reservations.set_aside(tx, number, "too long", pool[:1])) == 1
    assert store.write(lambda tx: reservations.release(tx, number, [], "failed")).returned == 1
    assert open_ones(store) == ["fits"]


def test_a_fate_never_goes_back(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: tx.execute(update(examples).values(learned_revision=5)) and None)
    store.write(lambda tx: reservations.release(tx, number, pool, "promoted"))
    assert store.read(lambda tx: tx.execute(select(func.max(examples.c.learned_revision))).scalar_one()) == 5
