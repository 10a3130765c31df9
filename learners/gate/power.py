"""Which gain a task's gate can detect: for `adaptd doctor` and `adaptd tasks`. Pure.

The spread of the differences is read from the task's last looks, since it is what decides how many prompts a gain needs
and nobody knows it beforehand; until there is one, 14 points are assumed, as measured on the example's task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from storage.records import Look

from .evidence import GateSettings
from .statistics import needed_t

DEFAULT_SPREAD = 0.14
LOOKS_READ = 5
SURE = 0.8


@dataclass(frozen=True, slots=True)
class Power:
    """What a first look at `prompts` would see. `spread` (standard deviation) and `gain` are in [0, 1].

    `measured`: the spread is from looks of this task. `effective` is what the prompts count as, after decay and caps.
    `gain` is None where there are too few prompts for any verdict: `wanted` different ones are the fewest.
    """

    prompts: int
    wanted: int
    effective: float
    spread: float
    measured: bool
    gain: float | None

    @property
    def words(self) -> str:
        """In points of 100."""
        counts = f", which count as {self.effective:.0f}" if self.effective < 0.95 * self.prompts else ""
        spread = f"spread {100 * self.spread:.0f} points{'' if self.measured else ' (assumed: nothing judged yet)'}"
        if self.prompts < self.wanted:
            return f"{self.prompts} different prompts of the {self.wanted} that are wanted: too few to judge anything"
        if self.gain is None:
            return f"gate of {self.prompts} prompts{counts}: too few to judge anything"
        return (
            f"gate of {self.prompts} prompts{counts}, {spread}: detects a gain of {100 * self.gain:.1f} points "
            f"in {SURE:.0%} of cases at the first look"
        )


def power_of(prompts: int, looks: Sequence[Look], settings: GateSettings) -> Power:
    """Of a gate that holds so many different prompts now; `looks` are the task's last ones, the newest first.

    The spread is that of the newest and of those which measured alike: another validator's may be far wider.
    """
    read = [found for look in _alike(looks[:LOOKS_READ]) if (found := _reading(look)) is not None]
    spread = median(spread for spread, _ in read) if read else DEFAULT_SPREAD
    effective = prompts * (median(share for _, share in read) if read else 1.0)
    enough = prompts >= settings.min_prompts and effective >= 8
    gain = detectable(effective, spread, settings.alpha, settings.looks) if enough and settings.enabled else None
    return Power(prompts, settings.min_prompts, effective, spread, bool(read), gain)


def detectable(effective: float, spread: float, alpha: float, looks: int) -> float:
    """The true gain that the first look promotes in 80 % of cases, for differences of that standard deviation.

    t must pass what `needed_t` asks, with one imagined row more on which the candidate loses half of the largest
    difference (`Paired.cautious`): of n normal differences the largest is about sqrt(2 log n) spreads. The imagined
    row is far off, so it widens the error too.
    """
    largest = spread * math.sqrt(2 * math.log(effective))
    rows = effective + 1
    error = math.sqrt((spread**2 * effective + (largest / 2) ** 2) / rows / rows)
    needed = needed_t(rows, error, alpha, 1, looks) * error + NormalDist().inv_cdf(SURE) * spread / math.sqrt(effective)
    return (needed * rows + largest / 2) / effective


def _alike(looks: Sequence[Look]) -> list[Look]:
    """Those with the newest one's primary and yardstick; one of before yardsticks were kept passes for like."""
    if not looks:
        return []
    primary, by = (looks[0].report.get(name) for name in ("primary", "yardstick"))
    same = [look for look in looks if look.report.get("primary") == primary]
    return same if by is None else [look for look in same if look.report.get("yardstick") in (None, by)]


def _reading(look: Look) -> tuple[float, float] | None:
    """Spread of the differences and effective share of the prompts, as a look's report has them."""
    error, effective = look.report.get("standard_error"), look.report.get("effective_prompts")
    prompts = look.report.get("prompts")
    if not error or not effective or not prompts or look.report.get("screened"):
        return None
    return float(error) * math.sqrt(float(effective)), min(1.0, float(effective) / float(prompts))
