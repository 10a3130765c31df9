"""Whom people were asked about: chosen from, marked once, and left out of means."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from storage import asked, buffer, intake
from storage.records import Signal
from storage.store import Store
from storage.tables import asked as table
from storage.tables import example as examples
from storage.votes import recent_judgements
from tests.storage.makers import NOW, example, insert, keep, later, rating

DAY_AGO = NOW - timedelta(days=1)


def waiting(store: Store) -> list[str]:
    found = store.read(lambda tx: asked.unlabelled_examples(tx, "erd", asked_before=DAY_AGO, limit=9))
    return [one.interaction_id for one in found]


def test_only_what_nobody_has_judged_in_the_train_fold_can_be_asked_about(store: Store) -> None:
    bare = [example(name, scalar=None) for name in ("new", "gone", "alone")]
    bare[1], bare[2] = replace(bare[1], withdrawn=True), replace(bare[2], joined=False)
    store.write(lambda tx: keep(tx, *bare, example("judged")))
    store.write(lambda tx: keep(tx, example("held out", scalar=None), fold="gate"))
    assert waiting(store) == ["new"]
    store.write(lambda tx: intake.lock_interactions(tx, [("erd", "undrawn")]))
    store.write(lambda tx: intake.save_examples(tx, [example("undrawn", scalar=None)], {}))
    assert sorted(waiting(store)) == ["new", "undrawn"]
    store.write(lambda tx: asked.mark_asked(tx, "erd", ["undrawn"], NOW))
    fold = select(examples.c.fold).where(examples.c.interaction_id == "undrawn")
    assert store.read(lambda tx: tx.execute(fold).scalar_one()) == "train"
    judged = store.read(lambda tx: buffer.labelled_examples(tx, "erd", 9))
    assert [one.interaction_id for one in judged] == ["judged"]


def test_what_was_asked_about_lately_waits_and_keeps_its_first_time(store: Store) -> None:
    store.write(lambda tx: keep(tx, example("a", scalar=None), example("b", scalar=None)))
    store.write(lambda tx: asked.mark_asked(tx, "erd", ["a", "nobody"], NOW - timedelta(days=2)))
    assert sorted(waiting(store)) == ["a", "b"]
    store.write(lambda tx: asked.mark_asked(tx, "erd", ["a"], NOW))
    assert waiting(store) == ["b"]
    rows = store.read(lambda tx: tx.execute(select(table.c.asked_at, table.c.last_asked_at)).all())
    assert [tuple(row) for row in rows] == [(NOW - timedelta(days=2), NOW)]


def test_asked_examples_are_known_by_their_rows(store: Store) -> None:
    store.write(lambda tx: keep(tx, example("a"), example("b")))
    store.write(lambda tx: asked.mark_asked(tx, "erd", ["b"], NOW))
    pairs = store.read(lambda tx: tx.execute(select(examples.c.interaction_id, examples.c.id)).all())
    rows = {row.interaction_id: row.id for row in pairs}
    assert store.read(lambda tx: asked.which_asked(tx, set(rows.values()))) == {rows["b"]}
    assert store.read(lambda tx: asked.which_asked(tx, ())) == frozenset()


def test_the_recent_signals_leave_out_what_was_asked_for_and_the_arrivals_do_not(store: Store) -> None:
    told = [rating(f"e{at}", f"i{at}", received_at=later(at), signal=Signal(at / 10, "1")) for at in range(1, 4)]
    store.write(lambda tx: insert(tx, told))
    store.write(lambda tx: asked.mark_asked(tx, "erd", ["i2"], NOW))
    assert store.read(lambda tx: buffer.recent_signals(tx, "erd", 9)) == [(NOW, 0.3), (NOW, 0.1)]
    received = store.read(lambda tx: buffer.received_signals(tx, "erd", 9))
    assert [signal for _, signal in received] == [0.1, 0.3]
    assert store.read(lambda tx: recent_judgements(tx, "erd", 9)) == [0.3, 0.1]
    assert store.read(lambda tx: buffer.arrivals(tx, "erd", NOW)) == 3
