"""How long an interaction and the feedback on it waited for each other: pure, over the events of one interaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from storage.records import Event


@dataclass(frozen=True, slots=True)
class JoinDelay:
    """`seconds` between the receipt of the two, and which of them was there first."""

    first: Literal["interaction", "feedback"]
    seconds: float


def join_delays(events: Sequence[Event], new: Collection[str]) -> list[JoinDelay]:
    """One for each feedback whose pair became complete with the events whose ids are `new`.

    Feedback that carries its own texts waits for nothing and gives none.
    """
    interaction = min(
        (event for event in events if event.kind == "interaction"), key=lambda event: event.received_at, default=None
    )
    if interaction is None:
        return []
    completed = [
        event
        for event in events
        if event.kind not in ("interaction", "retraction")
        and not event.self_contained
        and (event.event_id in new or interaction.event_id in new)
    ]
    return [_between(interaction, event) for event in completed]


def _between(interaction: Event, feedback: Event) -> JoinDelay:
    seconds = (feedback.received_at - interaction.received_at).total_seconds()
    return JoinDelay("interaction" if seconds >= 0 else "feedback", abs(seconds))
