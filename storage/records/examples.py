"""Examples: an interaction joined with all feedback on it, and the rows that are made from it.

An example is a pure function of its events in the order `(occurred_at, event_id)`; arrival order leaves no trace.
Reward and weight depend on config and time and are therefore not here but on `Row`, made when read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from storage.records.events import Message

Fold = Literal["train", "dev", "gate"]


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """How many prompts or users of a task were drawn into each fold."""

    train: int = 0
    dev: int = 0
    gate: int = 0


@dataclass(frozen=True, slots=True)
class Scalar:
    """Ratings, thumbs and validations on one response, aggregated to one signal in [0, 1].

    `variance` in [0, 0.25] is how far those who judged by the same criterion disagree: 0.25 where half say 0, half 1.
    """

    signal: float
    count: int
    effective_at: datetime
    variance: float = 0.0


@dataclass(frozen=True, slots=True)
class Vote:
    """What one rating, thumb or validation said: of the answer with that key, by a user (if known) or a validator.

    `criterion` is what the answer was judged by, where that was named.
    """

    answer: str
    user_id: str | None
    by_validator: bool
    signal: float
    criterion: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A text a human wrote: a correction (with the response's similarity to it) or a demonstration."""

    text: str
    signal: float
    effective_at: datetime
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """One preference of one human; `chosen_in` is the interaction in which `chosen` was given, where that was said."""

    chosen: str
    rejected: str
    tie: bool
    effective_at: datetime
    user_id: str | None
    chosen_in: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """`revision` counts what can be learned anew: it rises with a new correction, demonstration or pair.

    `users` are all whose feedback it holds (caps count each); `user_id` decides its fold. `joined` is false while the
    interaction itself has not come and the feedback is not self-contained. `last_signal_at` is the *received* time of
    the newest feedback, from which `settle` counts. `withdrawn`: everything on it was retracted.
    """

    task: str
    interaction_id: str
    revision: int
    joined: bool
    withdrawn: bool
    messages: tuple[Message, ...]
    response: str | None
    finish_reason: str | None
    model: str | None
    adapter: str | None
    user_id: str | None
    users: tuple[str, ...]
    first_seen_at: datetime
    last_signal_at: datetime | None
    effective_at: datetime
    scalar: Scalar | None = None
    correction: Target | None = None
    demonstration: Target | None = None
    pairs: tuple[Pair, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether any feedback stands on it."""
        return bool(self.scalar or self.correction or self.demonstration or self.pairs)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which example a row came from, and how many of its revisions had been seen."""

    interaction_id: str
    revision: int


RowRole = Literal["target", "response", "pair"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to train on.

    `role`: `target` (a human's text, reward 1), `response` (the model's own text, with its reward), `pair`
    (`completion` was chosen over `rejected`). `reward` in [-1, 1]; `signal` in [0, 1] is what the reward was made of;
    `weight` >= 0 counts decay, difficulty, agreement and trust, and is normalised to mean 1 within an update.
    `ending` is why the completion is never to be imitated; `superseded`: its adapter has too many successors for what
    was wrong with its texts to matter; `even_split`: of those who compared, as many chose the rejected text;
    `fails_check`: the response is known to fail one. `versions_behind`: how many, where the feedback named it. `made`
    says how a learner made the row from another of the same origin; None for what people gave.
    """

    messages: tuple[Message, ...]
    completion: str
    role: RowRole
    signal: float
    reward: float
    weight: float
    origin: Origin
    user_id: str | None
    effective_at: datetime
    rejected: str | None = None
    replay: bool = False
    versions_behind: int = 0
    superseded: bool = False
    ending: Literal["cut", "run-on"] | None = None
    made: str | None = None
    even_split: bool = False
    fails_check: bool = False
