"""An intake over a real store under a clock that stands still, and short ways to use it and to look at the outcome."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from daemon.config import Config
from daemon.intake import Intake, Outcome, Parcel
from storage import intake as intake_store
from storage.intake import IntakeTotals
from storage.records import Claim, DeadLetter, Example, Raw, Stream, StreamBatch, codec
from storage.store import Store
from storage.tables import event, example

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
STREAM = Stream("kafka/c/t/0", "feedback[0]")
OTHER = Stream("kafka/c/t/1", "feedback[1]")

Key = tuple[str, str]


def wire(event_id: str, kind: str = "rating", **fields: Any) -> dict[str, Any]:
    """An event as an app sends it; a field given as None is left out."""
    own: dict[str, dict[str, Any]] = {
        "interaction": {"prompt": "Draw a shop.", "response": "erDiagram"},
        "rating": {"rating": 4, "scale": {"min": 1, "max": 5}},
        "thumb": {"thumb": "up"},
        "validation": {"score": 0.5},
        "correction": {"corrected": "erDiagram\n  Shop {}"},
        "preference": {"chosen": "a", "rejected": "b"},
        "demonstration": {"demonstrated": "erDiagram\n  A {}"},
        "retraction": {},
    }
    common = {"schema": 1, "event_id": event_id, "occurred_at": "2026-11-01T10:00:00Z", "kind": kind, "task": "erd"}
    whole = {**common, "interaction_id": "i1", "user_id": "u1", **own[kind], **fields}
    return {name: value for name, value in whole.items() if value is not None}


def as_bytes(sent: Mapping[str, Any] | bytes) -> bytes:
    return sent if isinstance(sent, bytes) else json.dumps(sent).encode()


def raws(sent: Iterable[Mapping[str, Any] | bytes], first: int = 0, at: datetime = NOW) -> tuple[Raw, ...]:
    return tuple(Raw(as_bytes(each), first + index, at) for index, each in enumerate(sent))


def batch(stream: Stream, before: int, sent: Sequence[Mapping[str, Any] | bytes]) -> StreamBatch:
    return StreamBatch(stream, before, before + len(sent), raws(sent, before))


class Desk:
    """`send` is a request over HTTP, `poll` is what a source handed over under claims."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store, self.config = store, config
        self.intake = Intake(store, lambda: self.config, lambda: NOW)

    def send(self, *sent: Mapping[str, Any] | bytes, trusted: Iterable[str] = (), task: str | None = None) -> Outcome:
        return self.intake.ingest(Parcel("http", loose=raws(sent), trusted_apps=frozenset(trusted), default_task=task))

    def take(self, stream: Stream, start: int = 0) -> Claim:
        return self.store.write(lambda tx: intake_store.take(tx, stream, start))

    def poll(self, *batches: tuple[StreamBatch, Claim]) -> Outcome:
        return self.intake.ingest(Parcel("kafka", batches))

    def position(self, stream: Stream) -> int:
        claim = self.store.read(lambda tx: intake_store.claim_of(tx, stream))
        assert claim is not None
        return claim.position

    def totals(self) -> IntakeTotals:
        return self.store.read(intake_store.totals)

    def counted(self) -> tuple[int, int, int, int]:
        """received, stored, duplicates, dead letters."""
        found = self.totals()
        return found.received, found.stored, found.duplicates, found.dead_letters

    def dead_letters(self) -> list[DeadLetter]:
        """The newest first."""
        return [letter for _, letter in self.store.read(lambda tx: intake_store.list_dead_letters(tx))]

    def event_ids(self) -> set[str]:
        return {row.event_id for row in self.store.read(lambda tx: tx.execute(select(event.c.event_id)).all())}

    def examples(self) -> dict[Key, Example]:
        query = select(example.c.record).where(example.c.record.is_not(None))
        rows = self.store.read(lambda tx: tx.execute(query).all())
        found = (codec.from_json(Example, row.record) for row in rows)
        return {(each.task, each.interaction_id): each for each in found}

    def example(self, interaction_id: str = "i1", task: str = "erd") -> Example:
        return self.examples()[task, interaction_id]

    def folds(self) -> dict[str, str | None]:
        """By interaction."""
        query = select(example.c.interaction_id, example.c.fold)
        return {row.interaction_id: row.fold for row in self.store.read(lambda tx: tx.execute(query).all())}
