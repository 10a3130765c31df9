"""Learner `curriculum` (hook `schedule`): easy rows first, and what looks like noise not at all. Off by default.

Difficulty is the loss of a row after a short probe: a few steps on all rows in random order, undone again. What a model
picks up at once is easy; what it still holds unlikely while it picks up the others is hard, or wrong. So the pace ends
at one minus the estimated noise: the rows beyond are left out. Three stages of equal length: the easiest third of what
is kept, the easier two thirds, all of it. The plan that comes out is what is trained.

Noise is estimated from the same losses: the cut that parts them best into two groups (Otsu, "A threshold selection
method from gray-level histograms", IEEE Transactions on Systems, Man and Cybernetics 9, 1979), and only where two
groups explain more of their variance than they would of one bell curve. Deterministic: the same rows, seed and model
give the same plan.

Limits: a rare but right row looks like noise to it; measured gains are in docs/results.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field

from learners.hooks import Learner
from learners.hooks.contract import Context, Scheduled, Stage
from learners.plan import Plan, plan_over
from storage.records import Row
from storage.records.settings import Settings, setting

STAGES = ("easy", "medium", "hard")
MOST_NOISE = 0.5
TWO_GROUPS = 0.75  # of the variance; the best cut of one bell curve explains 2 / pi = 0.64 of it
FEWEST_TO_ESTIMATE = 8


class CurriculumSettings(Settings):
    """Settings of `updates.curriculum`."""

    difficulty: Literal["probe", "loss", "length"] = setting(
        "probe",
        doc="What makes a row hard: its loss after a short probe, its loss under the policy that training starts from, "
        "or its length.",
    )
    order: Literal["easy_first", "hard_first"] = setting(
        "easy_first", doc="From easy to hard, or the other way, to compare."
    )
    noise: Literal["auto"] | Annotated[float, Field(ge=0, le=MOST_NOISE)] = setting(
        "auto",
        doc="Share of the rows, the hardest, that is left out as noise; auto estimates it from the losses (none by "
        "length).",
        unit="share",
    )
    probe_steps: int = setting(10, doc="Optimizer steps of the probe.", unit="steps", ge=1)


def schedule(rows: Sequence[Row], steps: int, context: Context) -> Scheduled:
    """The rows in three stages over `steps` optimizer steps. Raises ValueError without rows."""
    if not rows:
        raise ValueError("a schedule needs at least one row; an update without rows is not to be trained")
    settings: CurriculumSettings = context.settings
    hardness = _difficulty(rows, settings, context)
    easy_first = sorted(range(len(rows)), key=lambda place: (hardness[place], place))
    noise, why = _noise(hardness, settings)
    kept = easy_first[: max(1, len(rows) - round(noise * len(rows)))]
    left_out = tuple(sorted(easy_first[len(kept) :]))
    order = kept if settings.order == "easy_first" else kept[::-1]
    planned, stages = _in_stages(order, steps, context)
    reasons = (why, *(_words(stage, order, hardness, settings) for stage in stages))
    numbers = {"noise": noise, "left_out": float(len(left_out))}
    return Scheduled(Plan(planned), stages, left_out, reasons, numbers)


def _difficulty(rows: Sequence[Row], settings: CurriculumSettings, context: Context) -> list[float]:
    if settings.difficulty == "length":
        return [float(len(row.completion)) for row in rows]
    if settings.difficulty == "loss":
        return list(context.tools.loss(rows))
    return list(context.tools.probe_loss(rows, settings.probe_steps))


def _noise(hardness: Sequence[float], settings: CurriculumSettings) -> tuple[float, str]:
    """The share that is left out, and why."""
    if settings.noise != "auto":
        return settings.noise, f"left out: the hardest {settings.noise:.0%}, as configured"
    if settings.difficulty == "length":
        return 0.0, "nothing left out: length says nothing of noise"
    if len(hardness) < FEWEST_TO_ESTIMATE:
        return 0.0, f"nothing left out: {len(hardness)} rows are too few to tell noise"
    explained, share = best_cut(hardness)
    if explained < TWO_GROUPS:
        return 0.0, f"nothing left out: the losses are one group (a cut explains {explained:.2f} of their variance)"
    noise = min(share, MOST_NOISE)
    return noise, f"left out: the hardest {noise:.0%}, a group of its own (the cut explains {explained:.2f})"


def best_cut(values: Sequence[float]) -> tuple[float, float]:
    """How much of the variance the best parting into a lower and an upper group explains, and the upper one's share."""
    ordered, mean = sorted(values), fmean(values)
    total = sum((value - mean) ** 2 for value in ordered)
    if total == 0:
        return 0.0, 0.0
    below, best, share = 0.0, 0.0, 0.0
    for count, value in enumerate(ordered[:-1], start=1):
        below += value
        above = sum(values) - below
        rest = len(ordered) - count
        between = count * (below / count - mean) ** 2 + rest * (above / rest - mean) ** 2
        if between > best:
            best, share = between, rest / len(ordered)
    return best / total, share


def _in_stages(
    order: Sequence[int], steps: int, context: Context
) -> tuple[tuple[tuple[int, ...], ...], tuple[Stage, ...]]:
    random = Random(context.seed)
    planned: list[tuple[int, ...]] = []
    stages = []
    for number, name in enumerate(STAGES, start=1):
        until = steps * number // len(STAGES)
        places = order[: ceil(len(order) * number / len(STAGES))]
        stages.append(Stage(name, until - len(planned), len(places)))
        planned += plan_over(places, batch_size=context.batch_size, steps=until - len(planned), random=random)
    return tuple(planned), tuple(stages)


def _words(stage: Stage, order: Sequence[int], hardness: Sequence[float], settings: CurriculumSettings) -> str:
    """What one stage trains on. With the hard ones first, `easy` is the first stage all the same."""
    reached = [hardness[place] for place in order[: stage.rows]]
    if settings.difficulty == "length":
        return f"{stage.name}: {stage.steps} steps on the {stage.rows} rows of at most {max(reached):.0f} characters"
    return f"{stage.name}: {stage.steps} steps on the {stage.rows} rows of a loss of at most {max(reached):.2f}"


LEARNER = Learner(
    name="curriculum",
    doc="Order the rows of an update from easy to hard, and leave out what looks like noise.",
    Settings=CurriculumSettings,
    schedule=schedule,
)
