"""What the kill test sends: good events, the same ones again, and bad ones, each counted as it is made.

Everything on one interaction carries one key, and so comes in order: the first event of an id is the one stored, what
repeats it is a duplicate, and what contradicts it a dead letter.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from consumers.events import LimitSettings

TASK = "soak"
AGAIN_SHARE, BAD_SHARE = 0.1, 0.1
REMEMBERED = 200  # of so many good events, one is sent again or contradicted

Record = tuple[bytes, bytes]  # key, value


@dataclass
class Sent:
    """What must be found in the end."""

    good: set[str] = field(default_factory=set)
    interactions: set[str] = field(default_factory=set)
    again: int = 0
    bad: int = 0

    @property
    def records(self) -> int:
        return len(self.good) + self.again + self.bad


class Traffic:
    """An endless stream of records from one seed."""

    def __init__(self, seed: int) -> None:
        self.sent = Sent()
        self._random = random.Random(seed)
        self._recent: list[dict[str, Any]] = []

    def records(self) -> Iterator[Record]:
        number = 0
        while True:
            number += 1
            for event in self._interaction(number):
                yield self._good(event)
                if self._random.random() < AGAIN_SHARE:
                    yield self._again()
                if self._random.random() < BAD_SHARE:
                    yield self._bad()

    def _interaction(self, number: int) -> list[dict[str, Any]]:
        """An interaction and what was said about it, sometimes before it, sometimes nothing."""
        name, user = f"i{number}", f"u{number % 7}"
        asked = _event(f"{name}-asked", "interaction", name, user, prompt=f"Question {number}?", response=f"A{number}.")
        said: list[dict[str, Any]] = []
        if self._random.random() < 0.6:
            said.append(_event(f"{name}-thumb", "thumb", name, user, thumb=self._random.choice(["up", "down"])))
        if self._random.random() < 0.5:
            said.append(_event(f"{name}-rating", "rating", name, user, rating=4, scale={"min": 1, "max": 5}))
        if self._random.random() < 0.4:
            said.append(_event(f"{name}-better", "correction", name, user, corrected=f"Better {number}."))
        if said and self._random.random() < 0.1:
            said.append(_event(f"{name}-sorry", "retraction", name, user, retracts={"event_id": said[0]["event_id"]}))
        events = [asked, *said]
        self._random.shuffle(events)
        return events

    def _good(self, event: dict[str, Any]) -> Record:
        self.sent.good.add(event["event_id"])
        self.sent.interactions.add(event["interaction_id"])
        self._recent = [*self._recent[1 - REMEMBERED :], event]
        return _record(event)

    def _again(self) -> Record:
        self.sent.again += 1
        return _record(self._random.choice(self._recent))

    def _bad(self) -> Record:
        self.sent.bad += 1
        spoil = self._random.choice(_SPOILERS)
        event = self._random.choice(self._recent)
        return event["interaction_id"].encode(), spoil(event)


def _event(event_id: str, kind: str, interaction_id: str, user_id: str, **fields: Any) -> dict[str, Any]:
    common = {"schema": 1, "event_id": event_id, "kind": kind, "task": TASK, "interaction_id": interaction_id}
    return {**common, "user_id": user_id, "occurred_at": "2026-01-02T10:00:00Z", **fields}


def _record(event: dict[str, Any]) -> Record:
    return event["interaction_id"].encode(), json.dumps(event).encode()


def _changed(**changes: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda event: json.dumps({**event, "event_id": f"{event['event_id']}-bad", **changes}).encode()


_SPOILERS: tuple[Callable[[dict[str, Any]], bytes], ...] = (
    lambda event: json.dumps(event).encode()[:-1],  # cut
    lambda _: b"",
    lambda _: b"\xff\xfe not text",
    lambda event: json.dumps({**event, "user_id": "somebody else"}).encode(),  # a conflict
    _changed(kind="rating", rating=85),
    _changed(kind="rating", rating=float("nan"), scale={"min": 1, "max": 5}),
    _changed(kind="opinion"),
    _changed(occurred_at="2026-01-02T10:00:00"),
    _changed(kind="interaction", prompt="\ud800", response="r"),
    _changed(kind="interaction", prompt="x" * (LimitSettings().max_text_chars + 1), response="r"),
)
