"""A revision is in at most one live pool and is learned at most once; every outcome has its fate (I3)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from storage import buffer, updates
from storage.buffer import BufferCounts, Outcome, Released
from storage.errors import StalePool, StorageError
from storage.records import Fold, Message, Origin, Signal
from storage.records.prompts import prompt_key
from storage.store import Store
from storage.tables import OPEN, reservation
from storage.tables import example as examples
from tests.storage.makers import NOW, example, insert, keep, later, rating


def open_ones(store: Store, fold: Fold = "train", limit: int = 300) -> list[str]:
    found = store.read(lambda tx: buffer.open_examples(tx, "erd", fold=fold, settled_before=NOW, limit=limit))
    return [one.interaction_id for one in found]


def new_update(tx: Connection) -> int:
    return updates.create_update(tx, "erd", "erd@v0", "ripe", NOW).update_id


def reserved(store: Store, *names: str) -> tuple[int, list[Origin]]:
    """An update with these examples in its pool."""
    pool = store.write(lambda tx: keep(tx, *(example(name) for name in names)))
    number = store.write(new_update)
    store.write(lambda tx: buffer.reserve(tx, number, pool, NOW))
    return number, pool


@pytest.mark.parametrize(
    "changes",
    [
        {"scalar": None},
        {"joined": False},
        {"withdrawn": True},
        {"last_signal_at": later(1)},
        {"last_signal_at": None},
    ],
)
def test_what_is_not_open(store: Store, changes: dict[str, Any]) -> None:
    store.write(lambda tx: keep(tx, example("open"), example("not", **changes)))
    assert open_ones(store) == ["open"]


def test_open_examples_are_of_one_fold_the_newest_first_and_limited(store: Store) -> None:
    names = ("old", "new", "middle")
    ages = (-20, 0, -10)
    store.write(lambda tx: keep(tx, *(example(n, effective_at=later(s)) for n, s in zip(names, ages, strict=True))))
    store.write(lambda tx: keep(tx, example("held out"), fold="gate"))
    assert open_ones(store, limit=2) == ["new", "middle"]
    assert open_ones(store, fold="gate") == ["held out"]
    assert store.read(lambda tx: buffer.open_examples(tx, "sql", settled_before=NOW, limit=9)) == []


def test_reserved_examples_are_not_open_and_come_back_with_their_pool(store: Store) -> None:
    number, pool = reserved(store, "a", "b")
    assert open_ones(store) == []
    assert store.read(lambda tx: buffer.reserved_examples(tx, number)) == [
        (pool[0], example("a")),
        (pool[1], example("b")),
    ]


def test_a_revision_cannot_be_reserved_twice(store: Store) -> None:
    _, pool = reserved(store, "a")
    second = store.write(new_update)
    with pytest.raises(StalePool):
        store.write(lambda tx: buffer.reserve(tx, second, pool, NOW))


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
    store.write(lambda tx: buffer.release(tx, number, pool, "promoted"))
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
        store.write(lambda tx: buffer.reserve(tx, number, [*pool, Origin("b", 1)], NOW))
    assert open_ones(store) == ["a"]


@pytest.mark.parametrize("fold", ["gate", "dev"])
def test_held_out_examples_can_never_enter_a_pool(store: Store, fold: Fold) -> None:
    pool = store.write(lambda tx: keep(tx, example("a"), fold=fold))
    number = store.write(new_update)
    with pytest.raises(StalePool):
        store.write(lambda tx: buffer.reserve(tx, number, pool, NOW))


def test_an_old_revision_cannot_be_reserved(store: Store) -> None:
    old = store.write(lambda tx: keep(tx, example("a")))
    store.write(lambda tx: keep(tx, example("a", revision=2)))
    number = store.write(new_update)
    with pytest.raises(StalePool):
        store.write(lambda tx: buffer.reserve(tx, number, old, NOW))


def test_a_pool_needs_its_update(store: Store) -> None:
    with pytest.raises(StorageError, match="no update 7"):
        store.write(lambda tx: buffer.reserve(tx, 7, [], NOW))


def test_promoted_the_used_are_learned_and_the_rest_return(store: Store) -> None:
    number, (a, _) = reserved(store, "a", "b")
    assert store.write(lambda tx: buffer.release(tx, number, [a], "promoted")) == Released(learned=1, returned=1)
    assert open_ones(store) == ["b"]
    assert [one.interaction_id for one in store.read(lambda tx: buffer.learned_examples(tx, "erd", 9))] == ["a"]


def test_held_the_used_stay_reserved_and_the_rest_return(store: Store) -> None:
    number, (a, _) = reserved(store, "a", "b")
    assert store.write(lambda tx: buffer.release(tx, number, [a], "held")) == Released(returned=1, kept=1)
    assert open_ones(store) == ["b"]
    assert store.write(lambda tx: buffer.release(tx, number, [a], "promoted")) == Released(learned=1)
    assert open_ones(store) == ["b"]


@pytest.mark.parametrize("outcome", ["superseded", "failed", "cancelled", "expired"])
def test_other_ends_return_all_at_full_weight(store: Store, outcome: Outcome) -> None:
    number, pool = reserved(store, "a", "b")
    assert store.write(lambda tx: buffer.release(tx, number, pool[:1], outcome)) == Released(returned=2)
    assert sorted(open_ones(store)) == ["a", "b"]
    assert store.read(lambda tx: buffer.half_weighted(tx, "erd", pool)) == frozenset()


def test_rejected_once_at_half_weight_twice_set_aside(store: Store) -> None:
    number, (a, b) = reserved(store, "a", "b")
    once = store.write(lambda tx: buffer.release(tx, number, [a], "rejected"))
    assert once == Released(returned=2, half_weight=1)
    assert store.read(lambda tx: buffer.half_weighted(tx, "erd", [a, b])) == frozenset({a})

    second = store.write(new_update)
    store.write(lambda tx: buffer.reserve(tx, second, [a, b], NOW))
    twice = store.write(lambda tx: buffer.release(tx, second, [a, b], "rejected"))
    assert twice == Released(returned=1, half_weight=1, set_aside=1)
    assert open_ones(store) == ["b"]


def test_releasing_again_does_nothing(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: buffer.release(tx, number, pool, "failed"))
    assert store.write(lambda tx: buffer.release(tx, number, pool, "promoted")) == Released()
    assert open_ones(store) == ["a"]


def test_a_pool_that_keeps_breaking_is_set_aside_with_its_reason(store: Store) -> None:
    number, _ = reserved(store, "a", "b")
    assert store.write(lambda tx: buffer.set_aside(tx, number, "crashed 3 times")) == 2
    assert open_ones(store) == []
    reasons = store.read(lambda tx: set(tx.execute(select(examples.c.set_aside_reason)).scalars()))
    assert reasons == {"crashed 3 times"}


@pytest.mark.parametrize("fate", ["promoted", "rejected", "set aside", "reserved"])
def test_a_new_revision_is_open_whatever_became_of_the_one_before(store: Store, fate: str) -> None:
    number, pool = reserved(store, "a")
    if fate == "set aside":
        store.write(lambda tx: buffer.set_aside(tx, number, "broke"))
    elif fate != "reserved":
        store.write(lambda tx: buffer.release(tx, number, pool, fate))  # type: ignore[arg-type]
    new = store.write(lambda tx: keep(tx, example("a", revision=2)))
    assert open_ones(store) == ["a"]
    assert store.read(lambda tx: buffer.half_weighted(tx, "erd", new)) == frozenset()
    assert store.read(lambda tx: buffer.learned_examples(tx, "erd", 9)) == []


def test_promoting_an_old_revision_late_leaves_the_new_one_open(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: keep(tx, example("a", revision=2)))
    store.write(lambda tx: buffer.release(tx, number, pool, "promoted"))
    assert open_ones(store) == ["a"]


def test_what_was_retracted_leaves_replay_and_held_out_evidence(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: buffer.release(tx, number, pool, "promoted"))
    store.write(lambda tx: keep(tx, example("a", withdrawn=True)))
    store.write(lambda tx: keep(tx, example("g", withdrawn=True), fold="gate"))
    store.write(lambda tx: keep(tx, example("d", withdrawn=True), fold="dev"))
    assert store.read(lambda tx: buffer.learned_examples(tx, "erd", 9)) == []
    assert store.read(lambda tx: buffer.gate_examples(tx, "erd")) == []
    assert store.read(lambda tx: buffer.dev_examples(tx, "erd", 9)) == []


def test_the_gate_takes_unlabelled_ones_and_dev_does_not(store: Store) -> None:
    for fold in ("gate", "dev"):
        newer = example(f"{fold} new", scalar=None, effective_at=later(5))
        store.write(lambda tx, fold=fold, newer=newer: keep(tx, example(f"{fold} old"), newer, fold=fold))  # type: ignore[misc]
    gate = store.read(lambda tx: buffer.gate_examples(tx, "erd"))
    dev = store.read(lambda tx: buffer.dev_examples(tx, "erd", 9))
    assert [one.interaction_id for one in gate] == ["gate new", "gate old"]
    assert [one.interaction_id for one in dev] == ["dev old"]
    assert len(store.read(lambda tx: buffer.gate_examples(tx, "erd", 1))) == 1


def test_what_a_training_left_out_returns_once_at_half_weight_and_is_set_aside_the_second_time(store: Store) -> None:
    number, pool = reserved(store, "noisy", "clean")
    out = store.write(lambda tx: buffer.leave_out(tx, number, pool[:1], "noise"))
    assert (out.half_weight, out.set_aside, out.returned) == (1, 0, 1)
    store.write(lambda tx: buffer.release(tx, number, pool[1:], "promoted"))
    assert open_ones(store) == ["noisy"]
    assert store.read(lambda tx: buffer.half_weighted(tx, "erd", pool)) == {pool[0]}
    second = store.write(new_update)
    store.write(lambda tx: buffer.reserve(tx, second, pool[:1], NOW))
    assert store.write(lambda tx: buffer.leave_out(tx, second, pool[:1], "noise")).set_aside == 1
    assert open_ones(store) == []


def test_a_part_of_a_pool_can_be_set_aside(store: Store) -> None:
    number, pool = reserved(store, "too long", "fits")
    assert store.write(lambda tx: buffer.set_aside(tx, number, "too long", pool[:1])) == 1
    assert store.write(lambda tx: buffer.release(tx, number, [], "failed")).returned == 1
    assert open_ones(store) == ["fits"]


def test_arrivals_and_recent_signals_count_what_carries_a_signal(store: Store) -> None:
    batch = [rating(f"r{n}", received_at=later(n), signal=Signal(n / 10, "1")) for n in range(5)]
    store.write(lambda tx: insert(tx, [*batch, rating("silent", received_at=later(9))]))
    assert store.read(lambda tx: buffer.arrivals(tx, "erd", later(2))) == 3
    assert store.read(lambda tx: buffer.recent_signals(tx, "erd", 2)) == [(NOW, 0.4), (NOW, 0.3)]
    assert store.read(lambda tx: buffer.arrivals(tx, "sql", NOW)) == 0


def test_signals_received_together_keep_the_order_of_their_batch(store: Store) -> None:
    values = [0.9, 0.1, 0.5, 0.3]
    store.write(lambda tx: insert(tx, [rating(f"r{n}", signal=Signal(value, "1")) for n, value in enumerate(values)]))
    assert [value for _, value in store.read(lambda tx: buffer.received_signals(tx, "erd", 9))] == values
    assert [value for _, value in store.read(lambda tx: buffer.recent_signals(tx, "erd", 3))] == values[:0:-1]


def test_the_buffer_is_counted(store: Store) -> None:
    number, pool = reserved(store, "learned", "rejected", "open")
    store.write(lambda tx: buffer.release(tx, number, pool[:1], "promoted"))
    second = store.write(new_update)
    store.write(lambda tx: buffer.reserve(tx, second, pool[1:2], NOW))
    store.write(lambda tx: buffer.set_aside(tx, second, "broke"))
    reserved(store, "reserved")
    store.write(
        lambda tx: keep(tx, example("x", joined=False), example("y", scalar=None), example("z", withdrawn=True))
    )
    store.write(lambda tx: keep(tx, example("g"), example("gu", scalar=None), fold="gate"))
    store.write(lambda tx: keep(tx, example("d"), fold="dev"))
    assert store.read(lambda tx: buffer.buffer_counts(tx, "erd")) == BufferCounts(
        open=2, learned=1, set_aside=1, unlabelled=2, unjoined=1, withdrawn=1, held_out=2, reserved=1,
        gate=2, gate_labelled=1, dev_labelled=1,
    )  # fmt: skip
    assert store.read(lambda tx: buffer.buffer_counts(tx, "sql")) == BufferCounts()


def test_a_gate_s_different_prompts_are_counted_and_not_its_entries(store: Store) -> None:
    shop, bank = (Message("user", "Draw a shop"),), (Message("user", "Draw a bank"),)
    loud = (Message("user", " draw  A SHOP "),)
    gate = [example("s", messages=shop), example("l", messages=loud), example("b", messages=bank, scalar=None)]
    gone = example("gone", messages=(Message("user", "Draw a park"),), withdrawn=True)
    store.write(lambda tx: keep(tx, *gate, gone, example("silent", messages=()), fold="gate"))
    store.write(lambda tx: keep(tx, example("t", messages=(Message("user", "Draw a zoo"),))))
    assert store.read(lambda tx: buffer.gate_prompts(tx, "erd", labelled=False)) == 2
    assert store.read(lambda tx: buffer.gate_prompts(tx, "erd", labelled=True)) == 1
    trained = select(examples.c.prompt_key).where(examples.c.fold == "train")
    assert store.read(lambda tx: tx.execute(trained).scalars().all()) == [None]


def test_the_gate_s_prompts_and_what_is_newest_of_each_are_found(store: Store) -> None:
    said = [
        example(f"{at}", messages=(Message("user", f"Draw {at % 2}"),), effective_at=later(at), withdrawn=at == 5)
        for at in range(6)
    ]
    store.write(lambda tx: keep(tx, *said, fold="gate"))
    even, odd = (prompt_key((Message("user", f"draw {at}"),)) for at in range(2))
    assert store.read(lambda tx: buffer.newest_gate_prompts(tx, "erd", 9)) == [even, odd]
    assert store.read(lambda tx: buffer.newest_gate_prompts(tx, "erd", 1)) == [even]
    found = store.read(lambda tx: buffer.gate_examples_of(tx, "erd", [even, odd, "unknown"], each=2))
    assert sorted(one.interaction_id for one in found) == ["1", "2", "3", "4"]


def test_a_pool_is_found_by_an_index(store: Store) -> None:
    explained = []

    def explain(tx: Connection) -> None:
        for query in (
            buffer._newest("erd", 9).where(OPEN, buffer._FREE, examples.c.fold == "train"),
            buffer._newest("erd", 9).where(buffer._STANDING, examples.c.fold == "gate"),
        ):
            sql = str(query.compile(compile_kwargs={"literal_binds": True}))
            plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
            explained.append(" ".join(row.detail for row in plan))

    store.read(explain)
    assert "ix_example_open" in explained[0]
    assert "ix_example_state" in explained[1]
    assert not any("SCAN" in plan for plan in explained)


def test_counting_reads_one_index_and_not_the_records(store: Store) -> None:
    conditions = buffer._standing_counts
    seen: list[str] = []

    def watch(tx: Connection) -> None:
        class Explains:
            def execute(self, query: Any) -> Any:
                sql = str(query.compile(compile_kwargs={"literal_binds": True}))
                seen.extend(row.detail for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
                return tx.execute(query)

        conditions(Explains(), "erd")  # type: ignore[arg-type]
        buffer.gate_prompts(Explains(), "erd", labelled=True)  # type: ignore[arg-type]
        buffer.newest_gate_prompts(Explains(), "erd", 9)  # type: ignore[arg-type]

    store.read(watch)
    assert "COVERING INDEX ix_example_state" in seen[0]
    assert all("COVERING INDEX ix_example_gate_prompt" in plan for plan in seen[1:3])


def test_a_fate_never_goes_back(store: Store) -> None:
    number, pool = reserved(store, "a")
    store.write(lambda tx: tx.execute(update(examples).values(learned_revision=5)) and None)
    store.write(lambda tx: buffer.release(tx, number, pool, "promoted"))
    assert store.read(lambda tx: tx.execute(select(func.max(examples.c.learned_revision))).scalar_one()) == 5
