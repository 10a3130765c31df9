"""Paired comparisons over seeds: Student's t, Holm's correction, and times that were not reached.

The seed is the unit: prompts, users, noise and training are drawn by it, so differences are independent over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev

_STEPS = 400  # of Simpson's rule, enough for six digits


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `count` seeds with its 95 % interval; both ends are the mean where there is one seed or no spread."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Sequence[float]) -> Estimate:
    """Of independent values. Raises ValueError for none."""
    if not values:
        raise ValueError("no values: nothing can be estimated")
    mean = fmean(values)
    if len(values) == 1:
        return Estimate(mean, mean, mean, 1)
    half = t_quantile(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half, len(values))


def paired(one: Mapping[int, float], other: Mapping[int, float]) -> Estimate | None:
    """The mean of one minus other over the seeds that both have; None where they share none."""
    seeds = sorted(one.keys() & other.keys())
    return estimate([one[seed] - other[seed] for seed in seeds]) if seeds else None


def p_above(values: Sequence[float], bound: float) -> float:
    """One-sided p for "the mean is above the bound"; 1 for fewer than two values."""
    if len(values) < 2:
        return 1.0
    error = stdev(values) / math.sqrt(len(values))
    if error == 0:
        return 0.0 if fmean(values) > bound else 1.0
    return 1 - t_cdf((fmean(values) - bound) / error, len(values) - 1)


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values. Source: Holm, "A simple sequentially rejective multiple test procedure", 1979."""
    adjusted, floor = {}, 0.0
    for place, (name, p) in enumerate(sorted(ps.items(), key=lambda item: item[1])):
        floor = max(floor, min(1.0, (len(ps) - place) * p))
        adjusted[name] = floor
    return adjusted


def first_reached(curve: Sequence[tuple[float, float]], target: float) -> float | None:
    """The first x of (x, score) at which the target is reached; None where it never is: censored at the last x."""
    return next((x for x, score in curve if score >= target), None)


def censored_median(times: Sequence[float | None]) -> float | None:
    """The median where None is later than every time; None where the median itself is."""
    ordered = sorted((math.inf if each is None else each) for each in times)
    if not ordered:
        return None
    middle = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    found = (middle[0] + middle[1]) / 2
    return None if math.isinf(found) else found


def t_cdf(t: float, degrees: int) -> float:
    """Student's distribution function, by Simpson's rule over its density."""
    if t < 0:
        return 1 - t_cdf(-t, degrees)
    if t > 60:
        return 1.0
    width = t / _STEPS
    inner = sum((4 if at % 2 else 2) * _density(at * width, degrees) for at in range(1, _STEPS))
    return 0.5 + width / 3 * (_density(0, degrees) + inner + _density(t, degrees))


@cache
def t_quantile(share: float, degrees: int) -> float:
    """The t below which `share` (at least one half) lies, by bisection."""
    low, high = 0.0, 60.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, degrees) < share else (low, middle)
    return (low + high) / 2


def _density(t: float, degrees: int) -> float:
    scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(degrees * math.pi) / 2
    return math.exp(scale - (degrees + 1) / 2 * math.log1p(t * t / degrees))
