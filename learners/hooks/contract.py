"""What a learner's hook is given, and what it hands back.

Hooks run in the worker of a train job, between reading its rows and training on them, in this order: `select` chooses
the batch from the pool, `schedule` puts its rows into an order. They are pure but for `Tools`, through which they ask
the model that is about to be trained. A hook never sees gate prompts, and no user by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from learners.plan import Plan
from storage.records import Origin, Row


class Tools(Protocol):
    """What a hook may ask of its worker. Everything costs computing, so ask for many rows at once."""

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        """Nats a token of each completion under the policy that training starts from."""

    def probe_loss(self, rows: Sequence[Row], steps: int) -> Sequence[float]:
        """The same after a trial of so many steps on all these rows in random order, which is undone again."""


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

    `users` number users within this job; `weight` is that of its heaviest row, before normalisation.
    """

    origin: Origin
    users: tuple[int, ...]
    weight: float
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Places in the pool, best first, of which at most `most` are wanted; and why, a sentence each thing done."""

    places: tuple[int, ...]
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
Schedule = Callable[[Sequence[Row], int, Context], Scheduled]
