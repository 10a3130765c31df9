"""Simulated users: what they say of the answers to their asks, as the product's own examples.

Careful users correct what is wrong and praise what is right; with `thumbs` they only ever praise or not. Noise is what
a careless user sends: as a correction, a text with the faults that the base was taught (so it looks easy to the base),
as a thumb, a coin. Hostile users send one kind of well-formed nonsense, more of it than others say.

Events go through the product's own signals and join, as they would after intake; users are spread evenly over events.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from bench.learning.tasks import Ask, Faults, Judged, Task
from consumers.joins import JoinSettings, join
from consumers.signals import signal_of
from consumers.similarity import SimilaritySettings
from storage.records import Body, Correction, Event, Example, Interaction, Message, Thumb

NOW = datetime(2026, 1, 1, tzinfo=UTC)  # of every cell
GOOD_ENOUGH = 0.8  # an answer of this score gets a thumb up
EVENT_S = 30.0  # seconds between two interactions


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who gives feedback. `noise` and `hostile` are shares in [0, 1], of the events of honest users and of the users;
    a hostile user sends `flood` examples for each of an honest one."""

    noise: float = 0.2
    kind: Literal["corrections", "thumbs"] = "corrections"
    users: int = 10
    hostile: float = 0.0
    flood: int = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said, and why it stopped."""

    text: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """One interaction with what was said of it, and what only the benchmark knows: how the answer scored, and whether
    the feedback is noise or hostile."""

    example: Example
    ask: Ask
    judged: Judged
    noisy: bool = False
    hostile: bool = False


def tell(
    task: Task,
    faults: Faults,
    asks: Sequence[Ask],
    replies: Sequence[Reply],
    crowd: Crowd,
    seed: int,
    now: datetime,
    *,
    prefix: str = "i",
) -> list[Told]:
    """What the crowd says of these answers, oldest first; the newest was said at `now`."""
    rng = random.Random(f"{task.name}:{seed}:{prefix}:feedback")
    hostile = round(crowd.hostile * crowd.users)
    speakers = [user for user in range(crowd.users) for _ in range(crowd.flood if user < hostile else 1)]
    told = []
    for number, (ask, reply) in enumerate(zip(asks, replies, strict=True)):
        user, judged = rng.choice(speakers), task.judge(ask, reply.text)
        noisy = rng.random() < crowd.noise
        body = _said(task, faults, ask, judged, crowd, rng, hostile=user < hostile, noisy=noisy)
        at = now - timedelta(seconds=EVENT_S * (len(asks) - 1 - number))
        example = _example(task.name, f"{prefix}{number:04}", ask, reply, body, f"user-{user}", at)
        told.append(Told(example, ask, judged, noisy and user >= hostile, user < hostile))
    return told


def _said(
    task: Task,
    faults: Faults,
    ask: Ask,
    judged: Judged,
    crowd: Crowd,
    rng: random.Random,
    *,
    hostile: bool,
    noisy: bool,
) -> Body:
    if crowd.kind == "thumbs":
        liked = judged.score >= GOOD_ENOUGH and judged.edge is not False
        return Thumb(not liked if hostile else rng.random() < 0.5 if noisy else liked)
    if hostile:
        return Correction(task.hostile_answer(ask))
    if noisy:
        return Correction(task.faulty_answer(ask, faults, rng))
    return Thumb(True) if judged.right else Correction(task.good_answer(ask))


def _example(task: str, name: str, ask: Ask, reply: Reply, body: Body, user: str, at: datetime) -> Example:
    shown = Event(
        event_id=f"{name}-shown",
        task=task,
        interaction_id=name,
        occurred_at=at,
        received_at=at,
        effective_at=at,
        content_hash=name,
        body=Interaction(),
        user_id=user,
        messages=(Message("user", ask.prompt),),
        response=reply.text,
        finish_reason=reply.finish_reason,
    )
    said = Event(
        event_id=f"{name}-said",
        task=task,
        interaction_id=name,
        occurred_at=at,
        received_at=at,
        effective_at=at,
        content_hash=f"{name}-said",
        body=body,
        user_id=user,
        response=reply.text,
    )
    settings = SimilaritySettings()
    said = replace(said, signal=signal_of(body, reply.text, settings))
    return join([shown, said], JoinSettings(), settings).example
