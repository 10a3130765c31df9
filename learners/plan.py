"""The plan of a training run: which rows each optimizer step sees, in which order. Pure.

Here and not in the trainer, so that a run can be repeated exactly and a learner that schedules rows hands over the same
thing as no learner at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Literal

PASSES = 12
MIN_STEPS = 25
MAX_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """Per step, places in the list of rows that was planned for."""

    steps: tuple[tuple[int, ...], ...]


def steps_for(rows: int, batch_size: int, steps: Literal["auto"] | int) -> int:
    """Optimizer steps for so many rows: what is set, else `PASSES` passes within [MIN_STEPS, MAX_STEPS]."""
    if steps != "auto":
        return steps
    return max(MIN_STEPS, min(MAX_STEPS, ceil(PASSES * rows / min(batch_size, rows))))


def random_plan(n_rows: int, *, batch_size: int, steps: int, seed: int) -> Plan:
    """Every pass sees each row once, in a new random order; a step may reach from one pass into the next.

    No step holds a row twice: where there are fewer rows than `batch_size`, steps are that much smaller. Raises
    ValueError without rows.
    """
    if n_rows < 1:
        raise ValueError("a plan needs at least one row; an update without rows is not to be trained")
    return Plan(tuple(_steps(range(n_rows), min(batch_size, n_rows), steps, Random(seed))))


def plan_over(places: Sequence[int], *, batch_size: int, steps: int, random: Random) -> tuple[tuple[int, ...], ...]:
    """Steps of a random plan over some of the rows only."""
    return tuple(_steps(places, min(batch_size, len(places)), steps, random))


def _steps(places: Sequence[int], size: int, steps: int, random: Random) -> Iterator[tuple[int, ...]]:
    left: list[int] = []
    for _ in range(steps):
        step = left[:size]
        left = left[size:]
        if len(step) < size:
            taken = set(step)
            order = random.sample(list(places), len(places))
            fresh = [place for place in order if place not in taken][: size - len(step)]
            left = [place for place in order if place not in fresh]
            step += fresh
        yield tuple(step)
