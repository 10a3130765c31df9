"""Learner `curriculum` (hook `schedule`): easy rows first, and what looks like noise not at all. Off by default.

Difficulty is the loss of a row after a short probe: a few steps on all rows in random order, from where training
starts, undone again. What a model picks up at once is easy; what it still holds unlikely while it picks up the others
is hard, or wrong. So the pace ends at one minus the estimated noise: the rows beyond are left out. Three stages of
equal length: the easiest third of what is kept, the easier two thirds, all of it. The plan that comes out is what is
trained.

Noise is estimated from the same losses: the cut that parts them best into two groups (Otsu, "A threshold selection
method from gray-level histograms", IEEE Transactions on Systems, Man and Cybernetics 9, 1979), and only where it
explains more of their variance than the best cut of one group does in 19 of 20 batches (`least_explained`).
Deterministic: the same rows, seed and model give the same plan.

Limits: a rare but right row looks like noise to it. Losses of one group with a tail heavier than the exponential one
are cut more often: lognormal ones of sigma 1 in 15 % of batches of 20, 6 % of 60, 3 % of 100. Noise whose losses do not
stand apart is not seen, nor is noise that is easier than the rest, as careless answers can be. Measured gains are in
docs/results.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
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
TWO_GROUPS = 0.75  # of the variance; of very many losses, the best cut of one flat group explains it, of one bell 0.64
_OF_FEW = 0.49  # by how much more luck explains where there are few, by the root of their number
FEWEST_TO_ESTIMATE = 20


class CurriculumSettings(Settings):
    """Settings of `updates.curriculum`."""

    difficulty: Literal["probe", "loss", "length"] = setting(
        "probe",
        doc="What makes a row hard: its loss after a short probe, its loss under the champion, or its length.",
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
    (explained, share), least = best_cut(hardness), least_explained(len(hardness))
    if explained < least:
        return 0.0, (
            f"nothing left out: the losses are one group (a cut explains {explained:.2f} of their variance, "
            f"of two groups {least:.2f})"
        )
    noise = min(share, MOST_NOISE)
    return noise, f"left out: the hardest {noise:.0%}, a group of its own (the cut explains {explained:.2f})"


def least_explained(count: int) -> float:
    """What the best cut of so many losses has to explain, in [0, 1], for them to be two groups: 0.75 + 0.49 / sqrt(n).

    Fitted to the largest 95th percentile of what it explains of one normal, one uniform and one exponential group, from
    4,000 batches each of 20 to 300 losses: flat losses and a tail on the right both look like two groups, most where
    there are few. So one such group is cut in at most 5 % of batches from `FEWEST_TO_ESTIMATE` on: of 20 losses uniform
    4.6 %, exponential 4.4 %, lognormal (sigma 0.5) 1.4 %, normal 0.2 %; of 100, uniform 4.3 %, others up to 0.1 %.

    What is seen, in batches of 24: all where 20 or 40 % lie around 3 +- 0.5 and the rest, lognormal, around 0.1. Of two
    normal groups six standard deviations apart, 68 % with 20 % noise and 96 % with 40 %; four apart, 7 and 31 %.
    """
    return TWO_GROUPS + _OF_FEW / sqrt(count)


def best_cut(values: Sequence[float]) -> tuple[float, float]:
    """How much of the variance the best parting into a lower and an upper group explains, and the upper one's share."""
    ordered, mean = sorted(values), fmean(values)
    total = sum((value - mean) ** 2 for value in ordered)
    if total == 0:
        return 0.0, 0.0
    whole, below, best, share = sum(ordered), 0.0, 0.0, 0.0
    for count, value in enumerate(ordered[:-1], start=1):
        below += value
        above = whole - below
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
    figures={
        "noise": "Share of the rows of the last phase that is taken for noise, 0 to 1.",
        "left_out": "Rows of the last phase that no step trains on, as noise.",
    },
)
