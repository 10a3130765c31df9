"""The signal from which SFT imitates an answer, where `updates.sft.min_signal` is `auto`: from the task's own history.

A fixed floor means another thing for people who hand out fives than for those who never do. So the floor is the median
of what was lately said of this task's answers (ratings, thumbs, validations, and how like an answer was to its
correction): the better half is imitated. It stays within bounds, because where nearly all is bad the better half of it
is still nothing to imitate, and where nearly all is perfect a small slip is no reason to leave an answer out. Chosen or
configured, no floor is below the signal whose reward is 0: SFT imitates nothing that was not liked. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from learners.methods.sft import DEFAULT_FLOOR

LOWEST, HIGHEST = 0.6, 0.95
MIN_SIGNALS = 20


@dataclass(frozen=True, slots=True)
class Floor:
    """A signal in [0, 1], and why it is this one."""

    signal: float
    reason: str


def choose_floor(wanted: Literal["auto"] | float, signals: Sequence[float], midpoint: float) -> Floor:
    """`signals` are those of the task's answers, in [0, 1], as many recent ones as there are.

    `midpoint` is the signal whose reward is 0 (`rewards.midpoint`).
    """
    floor = _wanted_floor(wanted, signals)
    if floor.signal > midpoint:
        return floor
    return Floor(midpoint, f"above {midpoint:g}, which has reward 0; updates.sft.min_signal comes to {floor.reason}")


def _wanted_floor(wanted: Literal["auto"] | float, signals: Sequence[float]) -> Floor:
    if wanted != "auto":
        return Floor(wanted, f"{wanted:g}, as configured")
    if len(signals) < MIN_SIGNALS:
        return Floor(DEFAULT_FLOOR, f"{DEFAULT_FLOOR:g}: auto wants {MIN_SIGNALS} signals and there are {len(signals)}")
    middle = median(signals)
    signal = min(HIGHEST, max(LOWEST, middle))
    bound = "" if signal == middle else f", kept within {LOWEST:g} to {HIGHEST:g}"
    return Floor(signal, f"{signal:.3g}: the median of the last {len(signals)} signals is {middle:.3g}{bound}")
