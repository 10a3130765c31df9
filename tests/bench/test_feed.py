"""The feed of bench/intake is what it says: readable, mixed, repeatable, in the order of its keys."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bench.intake.feed import Feed
from consumers.decode import decode_batch
from storage.records import Event, Raw

COUNT = 4000
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def sent(**options: Any) -> list[dict[str, Any]]:
    return [json.loads(value) for _, value in Feed(1, **options).records(COUNT)]


def test_every_event_can_be_read() -> None:
    raws = [Raw(value, at, NOW) for at, (_, value) in enumerate(Feed(1).records(COUNT))]
    decoded = decode_batch(raws)
    assert all(isinstance(found, Event) for found in decoded.outcomes)
    assert decoded.unknown_fields == 0


def test_kinds_are_mixed_and_texts_are_about_a_kilobyte() -> None:
    kinds = Counter(event["kind"] for event in sent())
    assert len(kinds) == 8
    assert 0.1 < kinds["correction"] / COUNT < 0.2
    assert 800 < sum(len(value) for _, value in Feed(1).records(COUNT)) / COUNT < 1200


def test_without_similarity_nothing_is_compared() -> None:
    kinds = Counter(event["kind"] for event in sent(similarity=False))
    assert "correction" not in kinds


def test_the_same_seed_sends_the_same_and_ids_are_distinct_uuids_of_version_7() -> None:
    assert list(Feed(3).records(200)) == list(Feed(3).records(200))
    ids = [UUID(event["event_id"]) for event in sent()]
    assert {each.version for each in ids} == {7}
    assert len(set(ids)) == COUNT


def test_feedback_comes_after_its_answer_and_carries_its_key() -> None:
    asked: set[str] = set()
    for key, value in Feed(1).records(COUNT):
        event = json.loads(value)
        assert key.decode() == event["interaction_id"]
        if event["kind"] == "interaction":
            asked.add(event["interaction_id"])
        assert event["interaction_id"] in asked
