"""Messages as senders write them, one valid example of each kind, for tests to bend."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from consumers.decode import Decoded, decode
from consumers.errors import Unreadable
from consumers.events import LimitSettings
from storage.records import Event

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
KIND_FIELDS: dict[str, dict[str, Any]] = {
    "interaction": {"response": "Hello."},
    "rating": {"rating": 4, "scale": {"min": 1, "max": 5}, "response": "Hello."},
    "thumb": {"thumb": "up", "response": "Hello."},
    "validation": {"score": 0.5, "passed": False, "validator": "v", "checks": {"parses": True}, "response": "Hello."},
    "correction": {"corrected": "Hello, you.", "response": "Hello."},
    "preference": {"chosen": "Hello.", "rejected": "Go away."},
    "demonstration": {"demonstrated": "Good morning."},
    "retraction": {"retracts": {"event_id": "e0"}},
}


def fields(kind: str, /, **changes: Any) -> dict[str, Any]:
    """A valid event of that kind with changes; a change to `...` leaves the field out."""
    base: dict[str, Any] = {
        "schema": 1,
        "event_id": "e1",
        "occurred_at": "2026-01-02T10:00:00Z",
        "kind": kind,
        "task": "greet",
        "interaction_id": "i1",
        "user_id": "u1",
        "prompt": "Greet me.",
        **KIND_FIELDS[kind],
        **changes,
    }
    return {name: value for name, value in base.items() if value is not ...}


def wire_bytes(kind: str, /, **changes: Any) -> bytes:
    return json.dumps(fields(kind, **changes)).encode()


def read(data: bytes, headers: dict[str, bytes] | None = None, **options: Any) -> Decoded:
    return decode(data, headers or {}, received_at=NOW, **options)


def event(kind: str, /, **changes: Any) -> Event:
    return read(wire_bytes(kind, **changes)).event


def reason(data: bytes, limits: LimitSettings | None = None, headers: dict[str, bytes] | None = None) -> str:
    """Why these bytes are no event; fails when they are one."""
    try:
        read(data, headers, limits=limits)
    except Unreadable as error:
        return error.reason
    raise AssertionError("this was read as an event")
