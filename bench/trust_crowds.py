"""Simulated crowds for bench.trust: users who judge answers whose true worth is known, as events of the product.

Why events: what trust sees and what rows are made of is then computed as in a daemon, from the signal to the join.

Six of ten answers are good. Careful users say what is true, contrary ones the opposite, careless ones toss a coin.
Where there are experts, some answers look otherwise than they are, and only the experts see it; the others say how an
answer looks. Each errs now and then, a validator too. Users differ in how much they say (log-normal: the busiest tenth
says nearly two fifths).

Limits: errors are independent, nobody is stricter with stars than others or learns, and feedback has no age to speak
of, so decay is not in play.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.random import Generator

from consumers.joins import JoinSettings, join
from consumers.signals import signal_of
from consumers.similarity import SimilaritySettings
from storage.records import Body, Event, Example, Message, Rating, Thumb, Validation, Vote
from storage.votes import answer_key

Kind = Literal["contrary", "careless", "experts"]
Where = Literal["apart", "together"]
Feedback = Literal["thumbs", "ratings"]

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GOOD, SLIP, BUSY = 0.6, 0.1, 1.0
SHARED = (0.4, 0.3, 0.2, 0.1)  # the shares of answers with one, two, three and four votes
SPARSE = (0.97, 0.03)
ALONE = (1.0,)
STARS = {True: ((4, 5), (0.4, 0.6)), False: ((1, 2, 3), (0.3, 0.4, 0.3))}  # of five; three are below the midpoint

_SIMILARITY = SimilaritySettings()


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who says what: a minority of one kind, by share of users, among users of another.

    `votes` are the shares of answers with 1, 2, ... votes. `where`: those on one answer come in interactions of their
    own (`apart`, as when many ask the same) or in one and the same (`together`). `deceptive`: the share of answers that
    are not what they seem; `slip`: that of judgements that are errors. `validated`: an app sends a validator's
    judgement with every interaction. With `rounds`, each user says so many things instead, each of an answer that one
    other judges.
    """

    kind: Kind
    share: float
    votes: tuple[float, ...] = SHARED
    where: Where = "apart"
    feedback: Feedback = "thumbs"
    deceptive: float = 0.3
    slip: float = SLIP
    validated: bool = False
    users: int = 60
    said: int = 600
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and how it looks to whom looks deceive."""

    number: int
    good: bool
    looks_good: bool


@dataclass(frozen=True, slots=True)
class World:
    """What a crowd said, in the order it was said; what is true; who is of the minority."""

    events: tuple[Event, ...]
    answers: dict[str, Answer]  # by the response's text
    users: tuple[str, ...]
    minority: frozenset[str]

    def examples(self) -> list[Example]:
        """By the product's join, in the order of the interactions' first feedback."""
        by_interaction: dict[str, list[Event]] = {}
        for event in self.events:
            by_interaction.setdefault(event.interaction_id, []).append(event)
        return [join(events, JoinSettings(), _SIMILARITY).example for events in by_interaction.values()]

    def votes(self, examples: Sequence[Example]) -> list[Vote]:
        """What `storage.votes.recent_votes` reads of a store that holds these events, the newest first."""
        keys = {example.interaction_id: answer_key(example) for example in examples}
        return [_vote(event, keys[event.interaction_id] or "") for event in reversed(self.events)]


def _vote(event: Event, answer: str) -> Vote:
    assert event.signal is not None, "every event here is a judgement"
    return Vote(answer, event.user_id, event.kind == "validation", event.signal.value)


def draw(crowd: Crowd, seed: int) -> World:
    """What the crowd says; the same seed has the same answers and voters, whatever the minority's kind and share."""
    users = tuple(f"u{number}" for number in range(crowd.users))
    order = np.random.default_rng([seed, 1]).permutation(crowd.users)
    minority = frozenset(users[at] for at in order[: round(crowd.share * crowd.users)])
    asked = [(_answer(number, crowd.deceptive, seed), voters) for number, voters in enumerate(_voters(crowd, seed))]
    said = [(answer, users[at]) for answer, voters in asked for at in voters]
    events: list[Event] = []
    random = np.random.default_rng([seed, 2])
    for at in random.permutation(len(said)).tolist():
        answer, user = said[at]
        interaction = f"a{answer.number}" if crowd.where == "together" else f"i{at}"
        seems_good = _opinion(crowd, user in minority, answer, random)
        if crowd.validated:
            passed = answer.good != bool(random.random() < crowd.slip)
            events.append(_event(len(events), interaction, None, answer, Validation(float(passed))))
        events.append(_event(len(events), interaction, user, answer, _body(crowd.feedback, seems_good, random)))
    return World(tuple(events), {_text(answer): answer for answer, _ in asked}, users, minority)


def _voters(crowd: Crowd, seed: int) -> Iterator[Sequence[int]]:
    """Who judges each answer, until enough is said."""
    random = np.random.default_rng([seed, 3])
    for _ in range(crowd.rounds or 0):
        order = random.permutation(crowd.users).tolist()
        yield from zip(order[::2], order[1::2], strict=False)
    activity = random.lognormal(0.0, BUSY, crowd.users)
    said = crowd.said if crowd.rounds is None else 0
    while said > 0:
        count = 1 + int(random.choice(len(crowd.votes), p=crowd.votes))
        yield random.choice(crowd.users, size=count, replace=False, p=activity / activity.sum()).tolist()
        said -= count


def _answer(number: int, deceptive: float, seed: int) -> Answer:
    random = np.random.default_rng([seed, 4, number])
    good = bool(random.random() < GOOD)
    return Answer(number, good, good != bool(random.random() < deceptive))


_Opinion = Callable[[Answer, Generator], bool]


def _true(answer: Answer, _random: Generator) -> bool:
    return answer.good


def _opposite(answer: Answer, _random: Generator) -> bool:
    return not answer.good


def _coin(_answer: Answer, random: Generator) -> bool:
    return bool(random.random() < 0.5)


def _by_looks(answer: Answer, _random: Generator) -> bool:
    return answer.looks_good


# how the majority judges, and how the minority does
_SIDES: dict[Kind, tuple[_Opinion, _Opinion]] = {
    "contrary": (_true, _opposite),
    "careless": (_true, _coin),
    "experts": (_by_looks, _true),
}


def _opinion(crowd: Crowd, of_minority: bool, answer: Answer, random: Generator) -> bool:
    meant = _SIDES[crowd.kind][of_minority](answer, random)
    return meant != bool(random.random() < crowd.slip)


def _body(feedback: Feedback, seems_good: bool, random: Generator) -> Thumb | Rating:
    if feedback == "thumbs":
        return Thumb(seems_good)
    stars, shares = STARS[seems_good]
    return Rating(float(random.choice(stars, p=shares)), 1, 5)


def _event(number: int, interaction: str, user: str | None, answer: Answer, body: Body) -> Event:
    at = NOW - timedelta(hours=1) + timedelta(seconds=number)
    return Event(
        event_id=f"e{number:06}",
        task="crowd",
        interaction_id=interaction,
        occurred_at=at,
        received_at=at,
        effective_at=at,
        content_hash=f"h{number}",
        body=body,
        user_id=user,
        messages=(Message("user", f"question {answer.number}"),),
        response=_text(answer),
        signal=signal_of(body, None, _SIMILARITY),
    )


def _text(answer: Answer) -> str:
    return f"answer {answer.number}"
