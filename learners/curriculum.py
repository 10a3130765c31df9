"""Learner `curriculum` (hook `schedule`): easy rows first. Off by default, because no gain has been measured.

Three stages of equal length: the easiest third of the rows, the easier two thirds, all of them. Easy is short, by
characters of the completion. The last stage holds every row, so that nothing is left out and training does not end on
the hard ones alone. Deterministic: the same rows and seed give the same plan.

Limits: length says little of noise; sloppy texts are often short, and then this order learns them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

from learners.plan import Plan, plan_over
from storage.records import Row

STAGES = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True)
class ScheduleContext:
    """What a schedule must know of the run: rows per optimizer step, and the seed of everything random."""

    batch_size: int
    seed: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The plan, and what was done and why, one sentence a stage."""

    plan: Plan
    reasons: tuple[str, ...]


def schedule(rows: Sequence[Row], steps: int, context: ScheduleContext) -> Schedule:
    """The rows in three stages from short to long over `steps` optimizer steps. Raises ValueError without rows."""
    if not rows:
        raise ValueError("a schedule needs at least one row; an update without rows is not to be trained")
    by_length = sorted(range(len(rows)), key=lambda place: (len(rows[place].completion), place))
    random = Random(context.seed)
    planned: list[tuple[int, ...]] = []
    reasons = []
    for number, stage in enumerate(STAGES, start=1):
        until = steps * number // len(STAGES)
        places = by_length[: ceil(len(rows) * number / len(STAGES))]
        reasons.append(_reason(stage, until - len(planned), places, rows))
        planned += plan_over(places, batch_size=context.batch_size, steps=until - len(planned), random=random)
    return Schedule(Plan(tuple(planned)), tuple(reasons))


def _reason(stage: str, steps: int, places: Sequence[int], rows: Sequence[Row]) -> str:
    longest = len(rows[places[-1]].completion)
    return f"{stage}: {steps} steps on the {len(places)} rows of at most {longest} characters"
