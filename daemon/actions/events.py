"""`adaptd events list|dead-letters`: what came in lately, and what could not be read, with the reason."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from daemon.actions.context import Context
from storage.dead_letters import list_dead_letters as dead_letters
from storage.newest import newest_events


class EventView(BaseModel):
    """One stored event without what it says; `signal` in [0, 1]."""

    event_id: str
    kind: str
    task: str
    interaction_id: str
    received_at: datetime
    effective_at: datetime
    signal: float | None
    fold: str | None


class DeadLetterView(BaseModel):
    """Where the message stands that could not be read, and why. `excerpt` is its shape, without any user's text."""

    id: int
    received_at: datetime
    reason: str
    stage: str
    source: str | None
    stream: str | None
    position: int | None
    task: str | None
    size_bytes: int
    sha256: str
    excerpt: str


def list_events(context: Context, task: str | None, kind: str | None, limit: int) -> list[EventView]:
    """Newest first."""
    found = context.store.read(lambda tx: newest_events(tx, task, kind, limit=limit))
    return [EventView(**{name: getattr(one, name) for name in EventView.model_fields}) for one in found]


def list_dead_letters(context: Context, task: str | None, limit: int) -> list[DeadLetterView]:
    """Newest first."""
    found = context.store.read(lambda tx: dead_letters(tx, task, limit=limit))
    names = set(DeadLetterView.model_fields) - {"id"}
    return [DeadLetterView(id=number, **{name: getattr(one, name) for name in names}) for number, one in found]
