"""What may be learned, what judges, and what is counted where."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, select

from storage import buffer, reservations
from storage.buffer import BufferCounts
from storage.records import Message, Signal
from storage.records.prompts import prompt_key
from storage.store import Store
from storage.tables import OPEN
from storage.tables import example as examples
from tests.storage.makers import NOW, example, insert, keep, later, rating
from tests.storage.pools import new_update, open_ones, reserved


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


def test_the_gate_takes_unlabelled_ones_and_dev_does_not(store: Store) -> None:
    for fold in ("gate", "dev"):
        newer = example(f"{fold} new", scalar=None, effective_at=later(5))
        store.write(lambda tx, fold=fold, newer=newer: keep(tx, example(f"{fold} old"), newer, fold=fold))  # type: ignore[misc]
    gate = store.read(lambda tx: buffer.gate_examples(tx, "erd"))
    dev = store.read(lambda tx: buffer.dev_examples(tx, "erd", 9))
    assert [one.interaction_id for one in gate] == ["gate new", "gate old"]
    assert [one.interaction_id for one in dev] == ["dev old"]
    assert len(store.read(lambda tx: buffer.gate_examples(tx, "erd", 1))) == 1


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
    store.write(lambda tx: reservations.release(tx, number, pool[:1], "promoted"))
    second = store.write(new_update)
    store.write(lambda tx: reservations.reserve(tx, second, pool[1:2], NOW))
    store.write(lambda tx: reservations.set_aside(tx, second, "broke"))
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
            buffer._newest("erd", 9).where(OPEN, reservations.FREE, examples.c.fold == "train"),
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
