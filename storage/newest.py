"""The newest events, for people who look at what comes in. No texts: those stay where the examples are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from storage.tables import event, example


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One stored event without what it says. `signal` in [0, 1]; None where the event has none."""

    event_id: str
    kind: str
    task: str
    interaction_id: str
    received_at: datetime
    effective_at: datetime
    signal: float | None
    fold: str | None


def newest_events(
    tx: Connection, task: str | None = None, kind: str | None = None, *, limit: int = 100
) -> list[EventEntry]:
    """The newest first, as they were stored."""
    c = event.c
    columns = (c.event_id, c.kind, c.task, example.c.interaction_id, c.received_at, c.effective_at, c.signal)
    query = select(*columns, example.c.fold).join(example, example.c.id == c.example_id).order_by(c.id.desc())
    query = query.where(c.task == task) if task is not None else query
    query = query.where(c.kind == kind) if kind is not None else query
    return [EventEntry(**row) for row in tx.execute(query.limit(limit)).mappings()]
