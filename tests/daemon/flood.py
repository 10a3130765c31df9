"""A client that sends as fast as it can until it is ended: `python -m tests.daemon.flood URL good|bad|garbage`."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx

EVENTS_A_REQUEST = 200
WORDS = "the quick brown fox jumps over a lazy dog and draws an entity relation diagram of it " * 4


def corrections(number: int, name: str) -> list[dict[str, Any]]:
    """Events that are as much work as they come: two texts to be compared."""
    now = datetime.now(UTC).isoformat()
    common = {"schema": 1, "occurred_at": now, "kind": "correction", "task": "erd", "response": WORDS}
    return [
        {
            **common,
            "event_id": f"{name}-{index}",
            "user_id": f"user-{index % 50}",
            "prompt": f"Draw {name} {index}.",
            "corrected": f"{WORDS} {index}",
        }
        for index in range(number)
    ]


def bodies(kind: str) -> Iterator[bytes]:
    """One request after the other, none like another."""
    own = uuid.uuid4().hex
    for number in count():
        events = corrections(EVENTS_A_REQUEST, f"{own}-{number}")
        if kind == "good":
            yield json.dumps(events).encode()
        elif kind == "bad":
            yield json.dumps([{**event, "kind": "nonsense"} for event in events]).encode()
        else:
            yield b'{"event_id": ' * 20_000


def main(url: str, kind: str) -> None:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for number, body in enumerate(bodies(kind)):
            client.post("/v1/events", content=body)
            if number == 0:
                print("flooding", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
