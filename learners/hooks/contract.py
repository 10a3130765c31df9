"""What a learner's hook is given, and what it hands back.

Hooks run in the worker of a train job, between reading its rows and training on them, in this order: `select` chooses
the batch from the pool, `expand` makes more rows from those of the batch, `schedule` puts all rows into an order. They
are pure but for `Tools`, through which they ask the model that is about to be trained, or the champion. A hook never
sees gate prompts, and no user by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from consumers.endings import ending_of
from learners.ngrams import Vectors
from learners.plan import Plan
from learners.validators import Validated
from storage.records import Message, Origin, Row


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer of the champion; not `whole` where it was cut off, by its length or because time was up."""

    text: str
    whole: bool

    def imitable(self, messages: Sequence[Message]) -> bool:
        """Whether it may be a target as an answer to those: whole, and no run-on (`consumers.endings`)."""
        return self.whole and ending_of(messages, self.text, None) is None


class Tools(Protocol):
    """What a hook may ask of its worker. Everything costs computing, so ask for many rows at once."""

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        """Nats a token of each completion under the champion; where none was published yet, under the bare base."""

    def probe_loss(self, rows: Sequence[Row], steps: int, *, champion: bool = False) -> Sequence[float]:
        """Nats a token after a trial of so many steps on all these rows in random order, which is undone again.

        The trial goes on from the policy that training starts from, or from the `champion`.
        """

    def answers(self, prompts: Sequence[Sequence[Message]], n: int, temperature: float) -> Sequence[Sequence[Sample]]:
        """`n` answers of the champion to each prompt; temperature 0 is greedy. Bounded in tokens and time."""

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        """What the task's validator says of an answer; None where the task has none."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of `model.embeddings`, shape (texts, dimensions). Raises learners.errors.EmbeddingsMissing."""


@dataclass(frozen=True, slots=True)
class Context:
    """One run as a hook sees it: the learner's own settings, rows per optimizer step, the seed of all chance."""

    settings: Any
    batch_size: int
    seed: int
    tools: Tools


@dataclass(frozen=True, slots=True)
class PoolExample:
    """One example that may go into the batch, with the rows it makes.

    `users` number users within this job; `weight` is that of its heaviest row, before normalisation. `failures` are the
    kinds of failure that its response shows, such as `check:keys`; of those that are fixed by now, none.
    """

    origin: Origin
    users: tuple[int, ...]
    weight: float
    rows: tuple[Row, ...]
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of a selection: the places in the pool that it brought into the batch, and all those of the batch."""

    places: tuple[int, ...]
    batch: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of a batch once it is known."""

    reasons: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """Places in the pool, best first, of which at most `most` are wanted; and why, a sentence each thing done.

    It is a wish: others may have taken a place before, or its user's cap may be full. So what is to be said of the
    batch is said by `tell`, when that is known.
    """

    places: tuple[int, ...]
    most: int
    reasons: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)
    tell: Callable[[Brought], Told] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Made:
    """A row made from the one at place `parent`, and `how`. With `instead`, the parent gives way to it."""

    parent: int
    how: str
    row: Row
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Expanded:
    """Rows that were made, of each parent's the most wanted first, of which at most `most` a parent are wanted.

    Which are kept is not the hook's to say (`learners.expansion`): each must pass the task's validator, be neither a
    copy nor something else than its parent, not be known to the gate, and count less than its parent.
    """

    rows: tuple[Made, ...]
    most: int
    reasons: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a plan: its name, its steps, and how many rows it draws on."""

    name: str
    steps: int
    rows: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The plan, its stages in order, the places of rows that it leaves out, and what was done and why."""

    plan: Plan
    stages: tuple[Stage, ...]
    left_out: tuple[int, ...]
    reasons: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


Select = Callable[[Sequence[PoolExample], int, Context], Selection]
Expand = Callable[[Sequence[Row], Context], Expanded]
Schedule = Callable[[Sequence[Row], int, Context], Scheduled]
