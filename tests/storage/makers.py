"""Small records for these tests, and the shortest way to have them in a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from storage import intake
from storage.records import Event, Example, Fold, Interaction, Message, Origin, Rating, Scalar, Stream

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
STREAM = Stream("kafka/cluster/topic/0", "feedback-0")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def event(event_id: str, interaction_id: str = "i1", **changes: Any) -> Event:
    values: dict[str, Any] = {
        "task": "erd",
        "occurred_at": NOW,
        "received_at": NOW,
        "effective_at": NOW,
        "content_hash": f"hash of {event_id}",
        "body": Interaction(),
        "messages": (Message("user", "draw"),),
    }
    return Event(event_id=event_id, interaction_id=interaction_id, **(values | changes))


def rating(event_id: str, interaction_id: str = "i1", **changes: Any) -> Event:
    return event(event_id, interaction_id, body=Rating(4, 1, 5), **changes)


def example(interaction_id: str = "i1", **changes: Any) -> Example:
    values: dict[str, Any] = {
        "task": "erd",
        "revision": 1,
        "joined": True,
        "withdrawn": False,
        "messages": (Message("user", "draw"),),
        "response": "erDiagram",
        "finish_reason": "stop",
        "model": None,
        "adapter": None,
        "user_id": "u1",
        "users": ("u1",),
        "first_seen_at": NOW,
        "last_signal_at": NOW,
        "effective_at": NOW,
        "scalar": Scalar(0.75, 1, NOW),
    }
    return Example(interaction_id=interaction_id, **(values | changes))


def keep(tx: Connection, *examples: Example, fold: Fold = "train") -> list[Origin]:
    """Lock and save; the examples' origins."""
    keys = [(one.task, one.interaction_id) for one in examples]
    intake.lock_interactions(tx, keys)
    intake.save_examples(tx, examples, dict.fromkeys(keys, fold))
    return [Origin(one.interaction_id, one.revision) for one in examples]


def insert(tx: Connection, events: Sequence[Event], places: Sequence[intake.Place] | None = None) -> intake.Inserted:
    """Lock and insert."""
    locked = intake.lock_interactions(tx, {(one.task, one.interaction_id) for one in events})
    return intake.insert_events(tx, locked, events, places)
