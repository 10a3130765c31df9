"""The tasks of the learning benchmarks: a world that asks, good and faulty answers, and a score of its own.

One file is one task, found by its name, with a `TASK`. Everything is a pure function of its arguments and a seed.
Nothing here knows of models, rows or learners.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from examples.erd.world import Pool

LIKELY, UNLIKELY = 0.8, 0.08  # how often a fault shows where it is at home, and elsewhere


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing somebody wants. `facts` are the task's own words for it; `rare` names the edge case it asks for, in
    which case `extra` says what exactly."""

    prompt: str
    facts: tuple[str, ...]
    rare: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What the score makes of an answer. `score` in [0, 1]; `edge` is None unless the prompt asked for an edge case;
    `generic`: it would fit any prompt; `failed` names the first part that is not right."""

    score: float
    generic: bool
    edge: bool | None = None
    failed: str | None = None

    @property
    def right(self) -> bool:
        """Nothing left to wish for."""
        return self.failed is None


@dataclass(frozen=True, slots=True)
class Faults:
    """How a base was taught to be wrong: for each fault of the task, the share of homes in which it is likely.

    A home is a corner of the world (a domain, or a kind of thing). Since a fault is tied to homes, a greedy answer
    shows it there and hardly elsewhere, and every skill is still seen often enough to be brought out.
    """

    shares: Mapping[str, float] = field(default_factory=dict)

    def draw(self, name: str, home: str, homes: tuple[str, ...], rng: random.Random) -> bool:
        """Whether this answer has the fault."""
        ranked = sorted(homes, key=lambda each: hashlib.sha256(f"{name}:{each}".encode()).digest())
        level = min(1.0, max(0.0, self.shares.get(name, 0.0) * len(homes) - ranked.index(home)))
        return rng.random() < UNLIKELY + (LIKELY - UNLIKELY) * level


class Task(Protocol):
    """What the gym must know of a task. `chunks` is the pattern of its tokenizer; `validator` the product's own, with
    its settings; `max_tokens` bounds an answer; `rare_kinds` and `fault_names` are what may be asked and gone wrong,
    `homes` the corners of its world."""

    name: str
    chunks: str
    vocabulary_size: int
    max_tokens: int
    validator: tuple[str, dict[str, Any]]
    rare_kinds: tuple[str, ...]
    fault_names: tuple[str, ...]
    homes: tuple[str, ...]

    def asks(self, pool: Pool, seed: int, rare_share: float, *, distinct: bool = True) -> Iterator[Ask]:
        """Asks of a pool without end, `rare_share` of them for an edge case; pools share no facts."""
        ...

    def home_of(self, ask: Ask) -> str:
        """The corner of the world that it is about."""
        ...

    def good_answer(self, ask: Ask) -> str:
        """What a careful user wants."""
        ...

    def faulty_answer(self, ask: Ask, faults: Faults, rng: random.Random) -> str:
        """What a base with these faults has learned to give."""
        ...

    def hostile_answer(self, ask: Ask) -> str:
        """What a hostile user wants everybody to get: well-formed nonsense, always of one kind."""
        ...

    def judge(self, ask: Ask, answer: str) -> Judged:
        """The task's score of an answer."""
        ...


def task_names() -> tuple[str, ...]:
    """Every task, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.endswith("_world")))


def find_task(name: str) -> Task:
    """Raises ValueError, naming the tasks that there are."""
    if name not in task_names():
        raise ValueError(f"there is no benchmark task {name!r}; there are {', '.join(task_names())}")
    found: Task = importlib.import_module(f"{__name__}.{name}").TASK
    return found
