"""Events as an app might send them: about 1 KB of text, kinds mixed, feedback some hundred events after its answer.

Same seed, same events. Ids are UUIDv7 whose time goes on by a millisecond an event. Everything about one interaction
carries its key, so it comes in order within one partition.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

TASK = "bench"
RESPONSE_SENTENCES, PROMPT_SENTENCES = 9, 4
LONGEST_WAIT = 3000  # events between an answer and what is said about it
EDITED_WORDS = 0.15
FIRST_MS = 1_767_225_600_000  # 2026-01-01

Record = tuple[bytes, bytes]  # key, value

# How often an answer gets each kind of feedback. Corrections are what similarity costs.
SAID = {
    "thumb": 0.35,
    "rating": 0.2,
    "validation": 0.15,
    "correction": 0.3,
    "preference": 0.08,
    "demonstration": 0.05,
    "retraction": 0.01,
}


class Feed:
    """`similarity` false: what would be a correction is a demonstration of the same text, so nothing is compared."""

    def __init__(self, seed: int, *, similarity: bool = True) -> None:
        self._random = random.Random(seed)
        self._similarity = similarity
        self._number = 0
        words = [_word(self._random) for _ in range(4000)]
        self._words = words
        self._sentences = [" ".join(self._random.choices(words, k=self._random.randint(7, 16))) for _ in range(3000)]

    def records(self, count: int) -> Iterator[Record]:
        """The first `count` events."""
        due: list[tuple[int, int, Record]] = []
        sent = order = 0
        while sent < count:
            if due and due[0][0] <= sent:
                yield heapq.heappop(due)[2]
            else:
                asked, said = self._interaction()
                for record in said:
                    order += 1
                    heapq.heappush(due, (sent + self._random.randint(1, LONGEST_WAIT), order, record))
                yield asked
            sent += 1

    def _interaction(self) -> tuple[Record, list[Record]]:
        """An answer, and what will be said about it; often nothing."""
        name, user = self._id(), f"u{self._random.randrange(5000)}"
        response = self._text(RESPONSE_SENTENCES)
        asked = self._event("interaction", name, user, prompt=self._text(PROMPT_SENTENCES), response=response)
        said = []
        for kind, share in SAID.items():
            if self._random.random() < share:
                sent_as = "demonstration" if kind == "correction" and not self._similarity else kind
                said.append(self._event(sent_as, name, user, **self._fields(sent_as, asked, response)))
        for event in (asked, *said):
            event["model"] = "assistant-7b"
        return _record(asked), [_record(event) for event in said]

    def _fields(self, kind: str, asked: dict[str, Any], response: str) -> dict[str, Any]:
        pick = self._random
        if kind == "thumb":
            return {"thumb": pick.choice(("up", "down"))}
        if kind == "rating":
            return {"rating": pick.randint(1, 5), "scale": {"min": 1, "max": 5}}
        if kind == "validation":
            checks = {"parses": pick.random() < 0.9, "complete": pick.random() < 0.7}
            return {"score": round(pick.random(), 3), "validator": "house", "checks": checks}
        if kind == "preference":
            return {"chosen": self._edited(response), "rejected": response, "prompt": asked["prompt"]}
        if kind == "retraction":
            return {"retracts": {"interaction_id": asked["interaction_id"]}}
        return {"corrected" if kind == "correction" else "demonstrated": self._edited(response)}

    def _event(self, kind: str, interaction_id: str, user_id: str, **fields: Any) -> dict[str, Any]:
        return {
            "schema": 1,
            "event_id": self._id(),
            "occurred_at": _time(FIRST_MS + self._number),
            "kind": kind,
            "task": TASK,
            "app": "helpdesk",
            "interaction_id": interaction_id,
            "user_id": user_id,
            **fields,
            "context": {"locale": "en", "channel": "web"},
        }

    def _id(self) -> str:
        """UUIDv7 (RFC 9562): milliseconds, then chance."""
        self._number += 1
        number = (FIRST_MS + self._number) << 80 | self._random.getrandbits(80)
        number = number & ~(0xF << 76) | 0x7 << 76
        return str(UUID(int=number & ~(0x3 << 62) | 0x2 << 62))

    def _text(self, sentences: int) -> str:
        return ". ".join(self._random.choices(self._sentences, k=sentences))

    def _edited(self, text: str) -> str:
        words = text.split(" ")
        for _ in range(int(EDITED_WORDS * len(words))):
            words[self._random.randrange(len(words))] = self._random.choice(self._words)
        return " ".join(words)


def _word(pick: random.Random) -> str:
    return "".join(pick.choice("bcdfghklmnprst") + pick.choice("aeiou") for _ in range(pick.randint(1, 4)))


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _record(event: dict[str, Any]) -> Record:
    return event["interaction_id"].encode(), json.dumps(event).encode()
