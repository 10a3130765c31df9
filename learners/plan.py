"""The plan of a training run: which rows each optimizer step sees, in which order. Pure.

Here and not in the trainer, so that a run can be repeated exactly and a learner that schedules rows hands over the same
thing as no learner at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Annotated, Literal

from pydantic import Field

PASSES = 12
MIN_STEPS = 25
MAX_STEPS = 1000

_PASSES = r"^([1-9]\d*(\.\d+)?|0\.\d*[1-9]\d*) passes$"
# How long a method trains: `auto`, so many optimizer steps whatever the rows, or so many passes over the rows, which
# make more steps the more rows there are.
Steps = Literal["auto"] | Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=_PASSES)]


@dataclass(frozen=True, slots=True)
class Plan:
    """Per step, places in the list of rows that was planned for."""

    steps: tuple[tuple[int, ...], ...]


def steps_for(rows: int, batch_size: int, steps: int | str) -> int:
    """Optimizer steps for so many rows: what is set (`Steps`), passes up to MAX_STEPS; `auto` is `PASSES` passes within
    [MIN_STEPS, MAX_STEPS]."""
    if isinstance(steps, int):
        return steps
    size = min(batch_size, rows)
    if steps == "auto":
        return max(MIN_STEPS, min(MAX_STEPS, ceil(PASSES * rows / size)))
    return max(1, min(MAX_STEPS, round(passes_told(steps) * rows / size)))


def passes_of(steps: float, rows: int, batch_size: int) -> float:
    """How often so many steps go over each of the rows."""
    return steps * min(batch_size, rows) / rows


def in_passes(passes: float) -> str:
    """`6.25 passes`, as a method's `steps` may be set."""
    number = f"{passes:.3f}".rstrip("0").rstrip(".")
    return f"{number} passes"


def passes_told(steps: str) -> float:
    """The number in `6.25 passes`. Raises ValueError for another text."""
    if not re.match(_PASSES, steps):
        raise ValueError(f"steps are `auto`, a number, or passes such as `6 passes`, not {steps!r}")
    return float(steps.removesuffix(" passes"))


def random_plan(n_rows: int, *, batch_size: int, steps: int, seed: int) -> Plan:
    """Every pass sees each row once, in a new random order; a step may reach from one pass into the next.

    No step holds a row twice: where there are fewer rows than `batch_size`, steps are that much smaller. Raises
    ValueError without rows.
    """
    if n_rows < 1:
        raise ValueError("a plan needs at least one row; an update without rows is not to be trained")
    return Plan(tuple(_steps(range(n_rows), min(batch_size, n_rows), steps, Random(seed))))


def keep_apart(plan: Plan, keys: Sequence[Hashable], stages: Sequence[int] = ()) -> Plan:
    """The same plan with no two rows of one key in a step: a row that would meet its like waits for the next step.

    `keys` are those of all rows, by place; `stages` are the plan's, as for `in_stages`. The order stays but for that,
    and so do the number of steps and, while a stage has so many keys, their sizes. No row leaves its stage: what still
    waits after the last step of one is not trained on again there, and a step that is not full takes the row of another
    key that the stage has trained on least.
    """
    return Plan(tuple(step for stage in in_stages(plan, stages) for step in _apart(stage, keys)))


def in_stages(plan: Plan, stages: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """The steps of each stage, of which `stages` says how many they are; all steps at once where it names none."""
    done = 0
    for steps in stages or (len(plan.steps),):
        yield plan.steps[done : done + steps]
        done += steps


def once_each(keys: Sequence[Hashable], size: int) -> tuple[tuple[int, ...], ...]:
    """Every place once, in steps of at most `size` with no key twice; one that is left without another is left out."""
    left, steps = list(range(len(keys))), []
    while left:
        steps.append(tuple(_unlike(left, keys, size, ())))
    return tuple(step for step in steps if len(step) > 1)


def _apart(steps_before: Sequence[Sequence[int]], keys: Sequence[Hashable]) -> list[tuple[int, ...]]:
    coming = [place for step in steps_before for place in step]
    rows = list(dict.fromkeys(coming))
    seen: Counter[int] = Counter()
    steps = []
    for step in steps_before:
        chosen = _unlike(coming, keys, len(step), [])
        seen.update(chosen)
        rest = sorted(rows, key=lambda place: seen[place])
        filled = _unlike(rest, keys, len(step), chosen)
        seen.update(filled[len(chosen) :])
        steps.append(tuple(filled))
    return steps


def _unlike(waiting: list[int], keys: Sequence[Hashable], size: int, chosen: Sequence[int]) -> list[int]:
    """`chosen` filled up to `size` with the first that wait of other keys, which are taken out of `waiting`."""
    full, held = list(chosen), {keys[place] for place in chosen}
    for place in tuple(waiting):
        if len(full) == size:
            break
        if keys[place] not in held:
            held.add(keys[place])
            full.append(place)
            waiting.remove(place)
    return full


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
