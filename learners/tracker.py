"""Is a task getting better? Trends of rewards and of scores, and how sure a score is. Pure.

A trend is read in two robust ways that take no account of outliers' size: whether there is one by the test of Mann
("Nonparametric tests against trend", Econometrica 13, 1945) and Kendall, with the correction for ties, two-sided; how
large it is by the slope of Theil and Sen ("Estimates of the regression coefficient based on Kendall's tau", JASA 63,
1968), the median of the slopes between all pairs. Over the order of values and not their times, so that a quiet night
is no trend. Whether, and which way, is the test's to say; the slope says how far, which is nothing where most pairs are
ties, as after one step long ago or yesterday.

Limits: values count as independent. One user's burst is not, and with many tasks one in twenty shows a trend by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import erfc, sqrt
from statistics import fmean, median
from typing import Literal

BLOCKS = 12  # the size of a trend of rewards is that of so many blocks' means: of thumbs, most pairs are ties
MIN_A_BLOCK = 2
MIN_VALUES = 5  # with four, not even a perfect order is beyond chance
LEVEL = 0.05
Z_95 = 1.959964

Direction = Literal["rising", "falling", "steady", "unknown"]


@dataclass(frozen=True, slots=True)
class Trend:
    """`change` from the first to the last of `count` values, in their unit and never against `direction`; `p` of the
    test, None for too few values.

    `steady` is "not told apart from chance", not "proven not to move".
    """

    direction: Direction
    change: float
    p: float | None
    count: int


def trend_of(values: Sequence[float]) -> Trend:
    """Of values in their order, oldest first."""
    count = len(values)
    if count < MIN_VALUES:
        return Trend("unknown", 0.0, None, count)
    return _told(theil_sen(values) * (count - 1), values)


def reward_trend(rewards: Sequence[float]) -> Trend:
    """Of single rewards, oldest first; the change is from the first block's mean to the last one's."""
    if len(rewards) < BLOCKS * MIN_A_BLOCK:
        return Trend("unknown", 0.0, None, len(rewards))
    ends = [round(len(rewards) * block / BLOCKS) for block in range(BLOCKS + 1)]
    means = [fmean(rewards[low:high]) for low, high in pairwise(ends)]
    return _told(theil_sen(means) * (BLOCKS - 1), rewards)


def _told(change: float, values: Sequence[float]) -> Trend:
    p, count = mann_kendall(values), len(values)
    if p >= LEVEL:
        return Trend("steady", change, p, count)
    if _rises(values) > 0:
        return Trend("rising", max(0.0, change), p, count)
    return Trend("falling", min(0.0, change), p, count)


def theil_sen(values: Sequence[float]) -> float:
    """Median change from one value to the next, over all pairs."""
    return median((b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(values), 2))


def _rises(values: Sequence[float]) -> int:
    """Pairs that rise less pairs that fall."""
    return sum((b > a) - (b < a) for a, b in combinations(values, 2))


def mann_kendall(values: Sequence[float]) -> float:
    """Two-sided p that values without a trend would order themselves so, by the normal approximation."""
    n = len(values)
    s = _rises(values)
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    return 1.0 if variance <= 0 or s == 0 else erfc((abs(s) - 1) / sqrt(2 * variance))


def score_interval(score: float, count: int) -> tuple[float, float]:
    """95 % interval of a mean of `count` scores in [0, 1], after Wilson ("Probable inference", JASA 22, 1927).

    Wilson's is for shares; a score varies no more than pass and fail with the same mean do, so this is at most too
    wide. (0, 1) without scores.
    """
    if count < 1:
        return 0.0, 1.0
    z2 = Z_95**2
    middle = (score + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 / (1 + z2 / count) * sqrt(max(0.0, score * (1 - score)) / count + z2 / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)
