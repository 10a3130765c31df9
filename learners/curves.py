"""The losses of a training run as curves of a bounded number of points, kept with the update. Pure.

Why: `progress.jsonl` lies in the job's directory, which is not kept for ever; the report of an update is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from learners.job import Progress

MOST_POINTS = 150


class PhaseCurve(BaseModel):
    """Of one method; steps count on through all phases. `loss` is the mean of the steps since the point before.

    `dev` are readings of the dev fold, at `dev_steps`.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    steps: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    dev_steps: tuple[int, ...] = ()
    dev: tuple[float, ...] = ()


def curves_of(progress: Sequence[Progress], most: int = MOST_POINTS) -> tuple[PhaseCurve, ...]:
    """One curve a phase, in their order. Of a step that was told twice, since an attempt went on, the last counts."""
    methods = dict.fromkeys(line.phase or "" for line in progress)
    return tuple(
        _curve(method, [line for line in progress if (line.phase or "") == method], most) for method in methods
    )


def _curve(method: str, lines: Sequence[Progress], most: int) -> PhaseCurve:
    loss = {line.done: line.loss for line in lines if line.loss is not None}
    dev = {line.done: line.dev_loss for line in lines if line.dev_loss is not None}
    at = sorted(loss)
    points = min(most, len(at))
    ends = [round(len(at) * point / points) for point in range(points + 1)] if points else []
    parts = [at[low:high] for low, high in pairwise(ends)]
    return PhaseCurve(
        method=method,
        steps=tuple(part[-1] for part in parts),
        loss=tuple(round(fmean(loss[step] for step in part), 6) for part in parts),
        dev_steps=tuple(sorted(dev)[-most:]),
        dev=tuple(round(dev[step], 6) for step in sorted(dev)[-most:]),
    )
