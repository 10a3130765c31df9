"""Feedback on the small model: prompts, the sloppy answers it gives to them, and what careful users make of those."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from examples.erd.world import Pool, entity_lists, good_answer, prompt_of, sloppy_answer
from storage.records import Message, Origin, Row
from storage.records.ids import new_id

TASK = "erd"
USERS = 10


def rows(count: int, seed: int) -> list[Row]:
    """Rows of a train job: human targets, all of the same weight."""
    lists, at = entity_lists(Pool.EVENTS, seed), datetime.now(UTC)
    found = []
    for number in range(count):
        entities = next(lists)
        asked, wanted = (Message("user", prompt_of(entities)),), good_answer(entities)
        origin, user = Origin(f"i{number}", 1), f"user-{number % USERS}"
        found.append(Row(asked, wanted, "target", 1.0, 1.0, 1.0, origin, user, at))
    return found


def interactions(count: int, seed: int) -> list[dict[str, Any]]:
    """Questions that nobody has said anything about: prompts for the gate."""
    lists, chance = entity_lists(Pool.EVENTS, seed), random.Random(seed)
    return [_event("interaction", number, next(lists), chance, interaction_id=new_id()) for number in range(count)]


def corrections(seed: int) -> Iterator[dict[str, Any]]:
    """Endless corrections, each of an answer of its own, the users taking turns."""
    chance = random.Random(f"corrections:{seed}")
    for number, entities in enumerate(entity_lists(Pool.EVENTS, seed + 1)):
        yield _event("correction", number, entities, chance, corrected=good_answer(entities))


def _event(kind: str, number: int, entities: tuple[str, ...], chance: random.Random, **fields: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "event_id": new_id(),
        "occurred_at": datetime.now(UTC).isoformat(),
        "kind": kind,
        "task": TASK,
        "user_id": f"user-{number % USERS}",
        "prompt": prompt_of(entities),
        "response": sloppy_answer(entities, chance),
        **fields,
    }
