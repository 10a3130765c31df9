"""How long an interaction and its feedback waited for each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from consumers.delays import JoinDelay, join_delays
from storage.records import Body, Event, Interaction, Thumb

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def event(name: str, body: Body, minute: float) -> Event:
    at = NOW + timedelta(minutes=minute)
    return Event(name, "erd", "i1", at, at, at, f"hash-{name}", body)


ASKED, LATER, EARLIER = (
    event("asked", Interaction(), 0),
    event("later", Thumb(True), 2),
    event("earlier", Thumb(False), -1),
)


def test_feedback_is_counted_when_it_comes_after_its_interaction() -> None:
    assert join_delays([ASKED, LATER], {"later"}) == [JoinDelay("interaction", 120.0)]


def test_feedback_that_was_alone_is_counted_when_its_interaction_comes() -> None:
    assert join_delays([EARLIER, ASKED], {"asked"}) == [JoinDelay("feedback", 60.0)]


def test_a_pair_that_was_complete_is_not_counted_again() -> None:
    again = event("again", Thumb(True), 5)
    assert join_delays([ASKED, LATER, again], {"again"}) == [JoinDelay("interaction", 300.0)]
    assert join_delays([ASKED, LATER, event("twin", Interaction(), 6)], {"twin"}) == []


def test_feedback_that_needs_no_interaction_or_has_none_waits_for_nothing() -> None:
    assert join_delays([ASKED, replace(LATER, self_contained=True)], {"later", "asked"}) == []
    assert join_delays([EARLIER, LATER], {"earlier", "later"}) == []
