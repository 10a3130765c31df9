"""Learner `active` (hook `select`): the batch from where the champion is unsure, not from what came in heaviest. Off by
default.

Limits: uncertainty alone picks what is noisy as gladly as what is new, which is why a share stays random.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random

from learners.hooks import Learner
from learners.hooks.contract import Context, PoolExample, Selection
from storage.records.settings import Settings, setting


class ActiveSettings(Settings):
    """Settings of `updates.active`."""

    random: float = setting(0.3, doc="Share of the batch that is drawn at random.", unit="share", ge=0.3, le=1)


def select(pool: Sequence[PoolExample], budget: int, context: Context) -> Selection:
    """The whole batch: `random` of it drawn, the rest by how unlikely the champion holds what it is to learn."""
    settings: ActiveSettings = context.settings
    drawn = Random(context.seed).sample(range(len(pool)), len(pool))[: ceil(settings.random * budget)]
    unsure = _by_uncertainty(pool, context)
    rest = [place for place in unsure if place not in set(drawn)]
    picked = min(budget - len(drawn), len(rest))
    reasons = (f"{len(drawn)} drawn at random", f"{max(0, picked)} that the champion holds least likely")
    return Selection((*drawn, *rest), budget, reasons, {"random": len(drawn), "uncertain": max(0, picked)})


def _by_uncertainty(pool: Sequence[PoolExample], context: Context) -> list[int]:
    rows = [(place, row) for place, example in enumerate(pool) for row in example.rows]
    losses = context.tools.loss([row for _, row in rows])
    highest: dict[int, float] = {}
    for (place, _), loss in zip(rows, losses, strict=True):
        highest[place] = max(loss, highest.get(place, loss))
    return sorted(highest, key=lambda place: (-highest[place], place))


LEARNER = Learner(
    name="active",
    doc="Choose the batch where the champion is unsure, with a share drawn at random.",
    Settings=ActiveSettings,
    select=select,
)
