"""What intake makes durable: each record has one outcome, positions move with effects, feedback finds its example."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

import consumers.canonical
import daemon.intake
from consumers.joins import Joined, join
from consumers.signals import signal_of
from daemon.config import Config
from daemon.intake import CONFLICT
from storage.errors import StoreUnavailable
from storage.records import Body, Event, Signal, Thumb
from storage.tables import event
from tests.daemon.desk import OTHER, STREAM, Desk, as_bytes, batch, wire

BAD = b'{"kind": "rating", "rating": NaN}'


# -- one outcome each


def test_each_record_has_one_outcome_and_is_counted_once(desk: Desk) -> None:
    outcome = desk.send(
        wire("a"), wire("b", "thumb"), wire("a"), wire("b", "thumb", thumb="down"), BAD, wire("c", unheard_of=1)
    )
    assert (outcome.stored, outcome.duplicates, outcome.unknown_fields) == (3, 1, 1)
    assert [index for index, _ in outcome.dead_letters] == [3, 4]
    assert outcome.dead_letters[0][1] == CONFLICT
    assert [each.event_id for each in outcome.events] == ["a", "b", "c"]
    assert desk.counted() == (6, 3, 1, 2)


def test_sending_again_stores_nothing(desk: Desk) -> None:
    desk.send(wire("a"), wire("b"))
    outcome = desk.send(wire("a", occurred_at="2026-11-01T11:00:00Z"), wire("b"))
    assert (outcome.stored, outcome.duplicates, outcome.dead_letters, outcome.events) == (0, 2, [], [])
    assert desk.counted() == (4, 2, 2, 0)


def test_the_first_of_two_events_with_one_id_stays(desk: Desk) -> None:
    desk.send(wire("a", rating=5))
    outcome = desk.send(wire("a", rating=1))
    assert outcome.dead_letters == [(0, CONFLICT)]
    scalar = desk.example().scalar
    assert scalar is not None
    assert scalar.signal == 1.0
    assert [(letter.stage, letter.task) for letter in desk.dead_letters()] == [("store", "erd")]


def test_the_same_id_in_another_task_is_another_event(desk: Desk) -> None:
    assert desk.send(wire("a"), wire("a", task="other")).stored == 2


def test_how_an_event_is_spelled_does_not_matter(desk: Desk) -> None:
    data = as_bytes(wire("a", context={"é": "\U0001f600"}))
    assert desk.send(data).stored == 1
    assert desk.send(data.replace(b"\\u00e9", "é".encode())).duplicates == 1


def test_a_dead_letter_points_and_quotes_nobody(desk: Desk) -> None:
    claim = desk.take(STREAM, 40)
    secret = b'{"kind": "rating", "event_id": "e", "rating": "my secret", "prompt": "my secret"}'
    desk.poll((batch(STREAM, 40, [wire("a"), secret]), claim))
    (letter,) = desk.dead_letters()
    assert (letter.stream, letter.position, letter.source) == (STREAM.key, 41, "kafka")
    assert (letter.sha256, letter.size_bytes) == (hashlib.sha256(secret).hexdigest(), len(secret))
    assert "secret" not in repr(letter)


def test_events_that_name_no_task_get_the_sources(desk: Desk) -> None:
    assert desk.send(wire("a", task=None)).dead_letters == [(0, "task: missing, and the source has no default_task")]
    assert desk.send(wire("a", task=None), task="erd").stored == 1


# -- claims


def test_positions_move_with_what_was_stored(desk: Desk) -> None:
    claim = desk.take(STREAM)
    outcome = desk.poll((batch(STREAM, 0, [wire("a"), BAD, wire("b")]), claim))
    assert (outcome.stored, outcome.stale) == (2, [])
    assert desk.position(STREAM) == 3


def test_a_gap_without_records_moves_the_position(desk: Desk) -> None:
    claim = desk.take(STREAM)
    desk.poll((replace(batch(STREAM, 0, []), after=9), claim))
    assert desk.position(STREAM) == 9
    assert desk.counted() == (0, 0, 0, 0)


def test_a_stale_claim_drops_its_stream_alone(desk: Desk) -> None:
    old, other = desk.take(STREAM), desk.take(OTHER)
    desk.take(STREAM)  # somebody else has it now
    outcome = desk.poll(
        (batch(STREAM, 0, [wire("a"), BAD, wire("b")]), old), (batch(OTHER, 0, [wire("c"), BAD]), other)
    )
    assert outcome.stale == [STREAM]
    assert (outcome.stored, [index for index, _ in outcome.dead_letters]) == (1, [4])
    assert desk.event_ids() == {"c"}
    assert desk.counted() == (2, 1, 0, 1)
    assert (desk.position(STREAM), desk.position(OTHER)) == (0, 2)


def test_a_batch_from_another_position_is_stale(desk: Desk) -> None:
    claim = desk.take(STREAM)
    assert desk.poll((batch(STREAM, 5, [wire("a")]), claim)).stale == [STREAM]
    assert desk.poll((batch(STREAM, 0, [wire("a")]), claim)).stale == []
    assert desk.poll((batch(STREAM, 0, [wire("a")]), claim)).stale == [STREAM]
    assert desk.counted() == (1, 1, 0, 0)


# -- what the store or the code fails on


def refuse(desk: Desk, event_id: str) -> None:
    """From now on the store refuses this event for what it is."""
    condition = f"WHEN NEW.event_id = '{event_id}' BEGIN SELECT RAISE(ABORT, 'refused'); END"
    desk.store.write(lambda tx: tx.exec_driver_sql(f"CREATE TRIGGER refuse BEFORE INSERT ON event {condition}"))


@pytest.mark.parametrize("place", [0, 4, 10])
def test_an_event_that_the_store_refuses_is_found_and_the_others_live(desk: Desk, place: int) -> None:
    refuse(desk, f"e{place}")
    claim = desk.take(STREAM)
    sent: list[Mapping[str, Any] | bytes] = [wire(f"e{n}", interaction_id=f"i{n // 2}") for n in range(11)]
    outcome = desk.poll((batch(STREAM, 0, [*sent, sent[1], BAD]), claim))
    stored = {f"e{n}" for n in range(11)} - {f"e{place}"}
    assert desk.event_ids() == stored
    assert [index for index, _ in outcome.dead_letters] == [place, 12]
    assert outcome.dead_letters[0][1] == "it could not be stored, IntegrityError; please report this"
    assert desk.counted() == (13, 10, 1, 2)
    assert {each.event_id for each in outcome.events} == stored
    assert desk.position(STREAM) == 13


@pytest.mark.parametrize("error", [KeyError("my secret"), AttributeError(), ZeroDivisionError(), RecursionError()])
def test_a_fault_of_ours_costs_one_event(desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def faulty(events: Sequence[Event], *rest: Any) -> Joined:
        if any(each.interaction_id == "i3" for each in events):
            raise error
        return join(events, *rest)

    monkeypatch.setattr(daemon.intake, "join", faulty)
    outcome = desk.send(*[wire(f"e{n}", interaction_id=f"i{n}") for n in range(6)])
    reason = f"it could not be stored, {type(error).__name__}; please report this"
    assert (outcome.stored, outcome.dead_letters) == (5, [(3, reason)])
    assert desk.counted() == (6, 5, 0, 1)


def test_an_event_that_cannot_be_scored_costs_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(body: Body, *rest: Any) -> Signal | None:
        if isinstance(body, Thumb):
            raise IndexError("my secret")
        return signal_of(body, *rest)

    monkeypatch.setattr(consumers.canonical, "signal_of", faulty)
    outcome = desk.send(wire("a"), wire("b", "thumb"), wire("c"))
    assert (outcome.stored, [index for index, _ in outcome.dead_letters]) == (2, [1])
    assert "secret" not in repr(desk.dead_letters())


def test_a_full_disk_makes_no_dead_letter_and_moves_nothing(desk: Desk) -> None:
    claim = desk.take(STREAM)
    pages = desk.store.read(lambda tx: tx.exec_driver_sql("PRAGMA page_count").scalar_one())
    desk.store.write(lambda tx: tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}"))
    sent = batch(STREAM, 0, [wire(f"e{n}", "interaction", prompt="x" * 3000) for n in range(20)])
    with pytest.raises(StoreUnavailable):
        desk.poll((sent, claim))
    assert (desk.event_ids(), desk.counted(), desk.position(STREAM)) == (set(), (0, 0, 0, 0), 0)
    desk.store.write(lambda tx: tx.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    assert desk.poll((sent, claim)).stored == 20
    assert desk.counted() == (20, 20, 0, 0)


# -- joins


def test_feedback_that_comes_before_its_interaction_joins_it(desk: Desk) -> None:
    desk.send(wire("fix", "correction", corrected="erDiagram\n  Shop {}"))
    early = desk.example()
    assert (early.joined, early.labelled) == (False, True)
    desk.send(wire("i1", "interaction", response="erDiagram\n  Shop {}", user_id="u9"))
    late = desk.example()
    assert (late.joined, late.user_id, late.users) == (True, "u9", ("u1",))
    assert late.correction is not None
    assert late.correction.signal == 1.0
    query = select(event.c.signal).where(event.c.event_id == "fix")
    assert desk.store.read(lambda tx: tx.execute(query).scalar_one()) == 1.0


def test_a_tasks_own_aggregate_is_in_force(desk: Desk) -> None:
    desk.config = Config.model_validate(
        {"rewards": {"aggregate": "min"}, "tasks": {"best": {"rewards": {"aggregate": "max"}}}}
    )
    ratings = [wire(f"r{n}", rating=n, occurred_at=f"2026-11-01T10:0{n}:00Z") for n in (2, 5, 3)]
    desk.send(*ratings, *[{**each, "task": "best"} for each in ratings])
    lowest, highest = desk.example().scalar, desk.example(task="best").scalar
    assert lowest is not None
    assert highest is not None
    assert (lowest.signal, highest.signal) == (0.25, 1.0)


RETRACTIONS: dict[str, dict[str, Any]] = {
    "by event": {"retracts": {"event_id": "r"}, "interaction_id": None},
    "by event, naming the interaction": {"retracts": {"event_id": "r"}},
    "by event, from elsewhere": {"retracts": {"event_id": "r"}, "interaction_id": "i9"},
    "by interaction": {"retracts": {"interaction_id": "i1"}, "interaction_id": None},
    "by interaction, from elsewhere": {"retracts": {"interaction_id": "i1"}, "interaction_id": "i9"},
}


@pytest.mark.parametrize("order", ["retraction first", "retraction last", "retraction within"])
def test_a_retraction_sent_under_another_interaction_leaves_both_examples_whole(desk: Desk, order: str) -> None:
    asked = wire("asked", "interaction", interaction_id="i0")
    sorry = wire("sorry", "retraction", interaction_id="i1", retracts={"interaction_id": "i0"})
    if order == "retraction within":
        desk.send(asked, sorry)
    else:
        for each in (sorry, asked) if order == "retraction first" else (asked, sorry):
            desk.send(each)
    assert desk.example("i0").withdrawn
    assert desk.example("i0").messages
    assert not desk.example("i1").joined


@pytest.mark.parametrize("how", RETRACTIONS)
@pytest.mark.parametrize("order", ["before", "after", "together"])
def test_a_retraction_takes_back_whenever_it_comes(desk: Desk, how: str, order: str) -> None:
    retraction = wire("x", "retraction", **RETRACTIONS[how])
    steps = {
        "before": [[retraction], [wire("r")]],
        "after": [[wire("r")], [retraction]],
        "together": [[retraction, wire("r")]],
    }
    for step in steps[order]:
        desk.send(*step)
    assert desk.example().labelled is False
    assert desk.counted() == (2, 2, 0, 0)


def test_only_the_same_user_or_a_trusted_app_takes_back(desk: Desk) -> None:
    desk.send(wire("r"), wire("x", "retraction", retracts={"event_id": "r"}, user_id="u2", app="shop"))
    assert desk.example().labelled
    desk.send(wire("y", "retraction", retracts={"event_id": "r"}, user_id="u2", app="shop"), trusted=["shop"])
    assert not desk.example().labelled


# -- folds


def test_a_prompt_keeps_the_fold_that_it_was_drawn_into(desk: Desk) -> None:
    sent = [wire(f"i{n}", "interaction", interaction_id=f"i{n}", prompt=f"Draw {n % 20}.") for n in range(60)]
    for each in sent:
        desk.send(each)
    first = desk.folds()
    assert set(first.values()) <= {"train", "dev", "gate"}
    assert all(first[f"i{n}"] == first[f"i{n % 20}"] for n in range(60))
    desk.send(*[wire(f"r{n}", interaction_id=f"i{n}") for n in range(60)])
    assert desk.folds() == first


def test_without_a_validator_a_prompt_is_drawn_when_it_gets_feedback(desk: Desk) -> None:
    desk.send(wire("i1", "interaction", task="plain"))
    assert desk.folds() == {"i1": None}
    desk.send(wire("r", task="plain"))
    assert desk.folds()["i1"] is not None
