"""Events come in once, whatever is repeated, and are handed to the join with all that reaches them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Select, func, select

from storage import claims, intake, joins
from storage.dialects.sqlite import as_list
from storage.errors import NotLocked
from storage.intake import Inserted, Locked
from storage.records import DeadLetter, Event, Retraction, Signal, Stream
from storage.store import Store
from storage.tables import event as events
from storage.tables import example as examples
from tests.storage.makers import NOW, STREAM, event, example, insert, keep, later, rating


def count(tx: Connection) -> int:
    return tx.execute(select(func.count()).select_from(events)).scalar_one()


def ids(found: Inserted) -> tuple[list[str], int, list[str]]:
    return [one.event_id for one in found.stored], found.duplicates, [one.event_id for one in found.conflicts]


def test_an_event_comes_back_as_it_was_stored(store: Store) -> None:
    given_one = rating(
        "r1", signal=Signal(0.75, "1", edit=0.5, bleu=0.25, truncated=True), context={"a": [1, None]}, user_id="u1"
    )
    store.write(lambda tx: insert(tx, [given_one]))
    assert store.read(lambda tx: intake.events_of(tx, [("erd", "i1")])) == {("erd", "i1"): [given_one]}


def test_the_same_event_again_is_a_duplicate(store: Store) -> None:
    assert ids(store.write(lambda tx: insert(tx, [event("a"), event("b")]))) == (["a", "b"], 0, [])
    assert ids(store.write(lambda tx: insert(tx, [event("b"), event("c")]))) == (["c"], 1, [])
    assert store.read(count) == 3


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stays(store: Store) -> None:
    other = event("a", content_hash="other")
    store.write(lambda tx: insert(tx, [event("a")]))
    found = store.write(lambda tx: insert(tx, [other]))
    assert found.conflicts == [other]
    assert found.conflicts[0] is other
    kept = store.read(lambda tx: intake.events_of(tx, [("erd", "i1")]))[("erd", "i1")]
    assert [one.content_hash for one in kept] == ["hash of a"]


def test_repetition_and_conflict_within_one_batch(store: Store) -> None:
    batch = [event("a"), event("a"), event("a", content_hash="other"), event("b")]
    found = store.write(lambda tx: insert(tx, batch))
    assert ids(found) == (["a", "b"], 1, ["a"])
    assert found.stored[0] is batch[0]
    assert found.conflicts[0] is batch[2]


def test_what_is_stored_decides_between_two_of_one_batch(store: Store) -> None:
    store.write(lambda tx: insert(tx, [event("a", content_hash="second")]))
    batch = [event("a", content_hash="first"), event("a", content_hash="second")]
    found = store.write(lambda tx: insert(tx, batch))
    assert (found.stored, found.duplicates) == ([], 1)
    assert found.conflicts[0] is batch[0]


def test_the_same_id_in_another_task_is_another_event(store: Store) -> None:
    assert ids(store.write(lambda tx: insert(tx, [event("a"), event("a", task="sql")]))) == (["a", "a"], 0, [])


def test_a_position_that_was_stored_is_a_duplicate_whatever_it_says_now(store: Store) -> None:
    store.write(lambda tx: claims.take(tx, STREAM, 0))
    store.write(lambda tx: insert(tx, [event("a")], [(STREAM.key, 5)]))
    again = [event("a"), event("a", content_hash="other"), event("z")]
    assert ids(store.write(lambda tx: insert(tx, again, [(STREAM.key, 5)] * 3))) == ([], 3, [])


def test_positions_of_two_streams_do_not_meet_and_http_has_none(store: Store) -> None:
    other = Stream("file/1", "f")
    for stream in (STREAM, other):
        store.write(lambda tx, stream=stream: claims.take(tx, stream, 0))  # type: ignore[misc]
    batch = [event("a"), event("b"), event("c"), event("d")]
    places: list[intake.Place] = [(STREAM.key, 5), (other.key, 5), (None, 0), (None, 0)]
    assert ids(store.write(lambda tx: insert(tx, batch, places)))[0] == ["a", "b", "c", "d"]


def test_an_event_without_a_lock_or_a_claim_is_refused(store: Store) -> None:
    with pytest.raises(NotLocked):
        store.write(lambda tx: intake.insert_events(tx, Locked({}), [event("a")]))
    with pytest.raises(NotLocked):
        store.write(lambda tx: insert(tx, [event("a")], [("never taken", 0)]))


def test_a_batch_larger_than_one_statement_can_bind(store: Store) -> None:
    batch = [event(f"e{number}", f"i{number}") for number in range(4000)]
    assert len(store.write(lambda tx: insert(tx, batch)).stored) == 4000
    assert store.write(lambda tx: insert(tx, batch)).duplicates == 4000
    keys = [("erd", one.interaction_id) for one in batch]
    assert len(store.read(lambda tx: intake.events_of(tx, keys))) == 4000


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy")), max_size=12), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_each_delivered_event_has_one_outcome_and_the_first_content_stays(
    empty: Engine, delivered: list[tuple[str, str]], cut: int
) -> None:
    """Against a dictionary: however the deliveries are cut into two batches."""
    first: dict[str, str] = {}
    with empty.connect() as tx:
        for batch in (delivered[:cut], delivered[cut:]):
            found = insert(tx, [event(name, content_hash=content) for name, content in batch])
            new = [name for name, _ in batch if name not in first]
            for name, content in batch:
                first.setdefault(name, content)
            conflicts = [(name, content) for name, content in batch if first[name] != content]
            assert [one.event_id for one in found.stored] == list(dict.fromkeys(new))
            assert [(one.event_id, one.content_hash) for one in found.conflicts] == conflicts
            assert len(found.stored) + found.duplicates + len(conflicts) == len(batch)


def test_locking_makes_an_interaction_once_and_counts_every_lock(store: Store) -> None:
    keys = [("erd", "b"), ("erd", "a"), ("erd", "b")]
    for _ in range(2):
        store.write(lambda tx: intake.lock_interactions(tx, keys))
    query = select(examples.c.interaction_id, examples.c.rev).order_by(examples.c.interaction_id)
    assert [tuple(row) for row in store.read(lambda tx: tx.execute(query).all())] == [("a", 2), ("b", 2)]


def test_an_interaction_without_events_has_none(store: Store) -> None:
    store.write(lambda tx: intake.lock_interactions(tx, [("erd", "i1")]))
    assert store.read(lambda tx: intake.events_of(tx, [("erd", "i1"), ("erd", "unknown")])) == {}


def test_events_at_hand_are_not_read_again(store: Store) -> None:
    old, new = event("a"), rating("b")
    store.write(lambda tx: insert(tx, [old]))

    def step(tx: Connection) -> list[Event]:
        insert(tx, [new])
        return intake.events_of(tx, [("erd", "i1")], [new])[("erd", "i1")]

    found = store.write(step)
    assert found == [old, new]
    assert found[1] is new


def retraction(own_id: str, own_interaction_id: str, **target: str) -> Event:
    return event(own_id, own_interaction_id, body=Retraction(**target))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [{"event_id": "r1"}, {"interaction_id": "i1"}])
@pytest.mark.parametrize("early", [True, False])
def test_a_retraction_reaches_its_target_whichever_came_first(
    store: Store, target: dict[str, str], early: bool
) -> None:
    withdrawing = retraction("x", "elsewhere", **target)
    batches = [[withdrawing], [rating("r1")]]
    for batch in batches if early else batches[::-1]:
        store.write(lambda tx, batch=batch: insert(tx, batch))  # type: ignore[misc]
    found = store.read(lambda tx: intake.events_of(tx, [("erd", "i1")]))[("erd", "i1")]
    assert {one.event_id for one in found} == {"r1", "x"}


def test_a_retraction_on_its_own_interaction_is_handed_over_once(store: Store) -> None:
    store.write(lambda tx: insert(tx, [rating("r1"), retraction("x", "i1", event_id="r1")]))
    found = store.read(lambda tx: intake.events_of(tx, [("erd", "i1")]))[("erd", "i1")]
    assert [one.event_id for one in found] == ["r1", "x"]


def test_a_retraction_in_another_task_reaches_nothing(store: Store) -> None:
    store.write(lambda tx: insert(tx, [rating("r1"), replace(retraction("x", "j", event_id="r1"), task="sql")]))
    found = store.read(lambda tx: intake.events_of(tx, [("erd", "i1")]))[("erd", "i1")]
    assert [one.event_id for one in found] == ["r1"]


def test_the_interactions_that_retractions_reach(store: Store) -> None:
    store.write(lambda tx: insert(tx, [rating("r1"), rating("r2", "i2")]))
    withdrawing = [
        retraction("x", "a", event_id="r1"),
        retraction("y", "b", interaction_id="i9"),
        retraction("z", "c", event_id="absent"),
        rating("r3"),
    ]
    reached = store.read(lambda tx: intake.interactions_retracted_by(tx, withdrawing))
    assert reached == {("erd", "i1"), ("erd", "i9")}
    assert store.read(lambda tx: intake.interactions_of_events(tx, "erd", ["r2", "absent"])) == {("erd", "i2")}


def test_a_signal_that_comes_later_is_kept_with_its_event(store: Store) -> None:
    late = Signal(0.5, "1", edit=0.4, bleu=0.6)
    store.write(lambda tx: insert(tx, [rating("r1"), rating("r2", signal=Signal(1.0, "1"))]))
    store.write(lambda tx: intake.save_signals(tx, "erd", {"r1": late}))
    found = store.read(lambda tx: intake.events_of(tx, [("erd", "i1")]))[("erd", "i1")]
    assert {one.event_id: one.signal for one in found} == {"r1": late, "r2": Signal(1.0, "1")}


def test_an_example_must_be_locked_before_it_is_saved(store: Store) -> None:
    with pytest.raises(NotLocked):
        store.write(lambda tx: intake.save_examples(tx, [example()], {}))


def test_a_fold_is_set_once_and_an_undrawn_one_stays_open(store: Store) -> None:
    def fold(tx: Connection) -> str | None:
        found: str | None = tx.execute(select(examples.c.fold)).scalar_one()
        return found

    key = ("erd", "i1")
    store.write(lambda tx: intake.lock_interactions(tx, [key]))
    store.write(lambda tx: intake.save_examples(tx, [example()], {}))
    assert store.read(fold) is None
    store.write(lambda tx: intake.save_examples(tx, [example()], {key: "gate"}))
    store.write(lambda tx: intake.save_examples(tx, [example(revision=2)], {key: "train"}))
    assert store.read(fold) == "gate"


def test_a_time_without_a_zone_is_refused_before_it_is_stored(store: Store) -> None:
    naive = event("a", received_at=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="zone"):
        store.write(lambda tx: insert(tx, [naive]))


def test_times_are_kept_to_the_microsecond_and_sort_as_numbers(store: Store) -> None:
    times = [NOW, later(0.000001), later(-86400 * 365 * 60)]
    store.write(lambda tx: keep(tx, *(example(str(n), effective_at=at) for n, at in enumerate(times))))
    query = select(examples.c.effective_at).order_by(examples.c.effective_at)
    assert list(store.read(lambda tx: tx.execute(query).scalars().all())) == sorted(times)


def letter(position: int | None, stream: str | None = STREAM.key) -> DeadLetter:
    return DeadLetter("not JSON", "decode", NOW, "0" * 64, 12, stream=stream, position=position, task="erd")


def test_dead_letters_are_kept_once_a_position(store: Store) -> None:
    assert store.write(lambda tx: intake.insert_dead_letters(tx, [letter(1), letter(2), letter(2)])) == 2
    assert store.write(lambda tx: intake.insert_dead_letters(tx, [letter(2), letter(None, None)])) == 1
    assert store.write(lambda tx: intake.insert_dead_letters(tx, [])) == 0
    listed = store.read(lambda tx: intake.list_dead_letters(tx, "erd", limit=2))
    assert [found.position for _, found in listed] == [None, 2]
    rest = store.read(lambda tx: intake.list_dead_letters(tx, before_id=listed[-1][0]))
    assert [found for _, found in rest] == [letter(1)]
    assert store.read(lambda tx: intake.list_dead_letters(tx, "other")) == []


def test_the_negative_control_stores_an_event_twice(url: str) -> None:
    with Store.open(url, unsafe_without_claim=True) as store:
        for _ in range(2):
            store.write(lambda tx: insert(tx, [event("a")]))
        assert store.read(count) == 2


def test_reading_an_interactions_events_searches_and_never_scans(store: Store) -> None:
    for query in (joins._EVENTS, joins._OF_EVENTS, joins._OF_INTERACTIONS):
        plan = store.read(partial(_plan, query=query))
        assert plan
        assert not [line for line in plan if line.startswith("SCAN") and "VIRTUAL TABLE" not in line]  # the bound list


def _plan(tx: Connection, query: Select[Any]) -> list[str]:
    compiled = query.compile(dialect=tx.dialect)
    asked = {"in_task": "erd", "names": as_list(["a", "b"]), "targets": as_list(["a", "b"])}
    bound = tuple(asked[name] for name in compiled.positiontup or ())
    return [row[-1] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", bound)]
