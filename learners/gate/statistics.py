"""The arithmetic of a verdict: a weighted paired bootstrap, and how sure it must be before a candidate is promoted.

Why no random draws: the verdict lives in tails of a few in ten thousand, where resampling needs hundreds of thousands
of draws and still answers differently with another seed. The tail of the bootstrap distribution of a mean has a
closed, very exact approximation, the saddlepoint (Davison and Hinkley, Bootstrap Methods and their Application, 1997,
section 9.5), so a judgement takes under a millisecond and depends on nothing but the rows.

Limits: rows are taken as independent, which different prompts of one user are not; repeats of one prompt are made one
row before they come here (`prompts`). A harm so rare that no row shows it cannot be
seen by any method that looks at the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ONE_POINT = 0.01  # one point of 100, in the unit of every score
RUN_LENGTH = 50  # candidates one point worse ...
SCREEN_SHARE = 0.2  # of what the first look may wrongly reject
RUN_ERROR = 0.05  # ... of which a run contains a promotion in fewer cases than this

_NORMAL = NormalDist()
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences candidate minus champion (positive: the candidate is better) and what each counts.

    Both of shape (n,), all weights > 0. `effective` is Kish's effective sample size (sum w)^2 / sum w^2: how many
    equally weighted rows would say as much.
    """

    values: Floats
    weights: Floats

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def effective(self) -> float:
        total = float(self.weights.sum())
        return total * total / float(self.weights @ self.weights) if self.count else 0.0

    @property
    def mean(self) -> float:
        return float(self.values @ self.weights) / float(self.weights.sum()) if self.count else 0.0

    @property
    def standard_error(self) -> float:
        """Of the weighted mean, by linearisation, with n_eff - 1 degrees of freedom (Cochran 1977, section 6.3)."""
        effective = self.effective
        if effective <= 1 + _TINY:
            return math.inf
        spread = float((self.weights**2 * (self.values - self.mean) ** 2).sum())
        return math.sqrt(spread * effective / (effective - 1)) / float(self.weights.sum())

    def flipped(self) -> Paired:
        """The same rows seen from the champion's side."""
        return Paired(-self.values, self.weights)

    def cautious(self) -> Paired:
        """With one imagined row more, on which the candidate loses half of the largest difference seen.

        The tails of a mean are told by its extremes, and few rows have not met them yet: without this row, answers
        that mostly stay the same let one in 400 candidates pass at 60 prompts that are a point worse (bench.gate).
        """
        if not self.count:
            return self
        loss = -0.5 * float(np.abs(self.values).max())
        return Paired(np.append(self.values, loss), np.append(self.weights, self.weights.mean()))


def normal_tail(z: float) -> float:
    """P(N >= z)."""
    return _NORMAL.cdf(-z)


def t_quantile(tail: float, degrees: float) -> float:
    """The t that Student's distribution exceeds with probability `tail`, for at least about five degrees of freedom.

    Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5: within 0.5 % of the tables at 7 degrees and 0.0005.
    """
    z = -_NORMAL.inv_cdf(tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, start=1))


def bootstrap_tail(paired: Paired, at: float = 0.0) -> float:
    """P*(mean <= at), where rows are drawn n times with replacement, each with its value and its weight.

    A weighted mean is at most `at` exactly when the sum of w (value - at) is at most 0, which is a plain sum of n
    independent draws: Lugannani and Rice's formula gives its tail.
    """
    draws = paired.weights * (paired.values - at)
    scale = float(np.abs(draws).max(initial=0.0))
    if scale < _TINY:
        return 1.0
    draws = draws / scale
    if draws.min() >= 0:
        return float((draws == 0).mean()) ** paired.count
    if draws.max() <= 0:
        return 1.0
    return _lugannani_rice(draws)


def _lugannani_rice(draws: Floats) -> float:
    """P(sum of n draws <= 0), for draws in [-1, 1] of both signs."""
    tilt = _saddlepoint(draws)
    powers = np.exp(tilt * draws)
    mass = float(powers.mean())
    curvature = float((powers * draws * draws).mean()) / mass
    count = len(draws)
    signed_root = math.copysign(math.sqrt(max(0.0, -2 * count * math.log(mass))), tilt)
    scaled_tilt = tilt * math.sqrt(count * curvature)
    if abs(signed_root) < 1e-4:
        return 0.5
    density = _NORMAL.pdf(signed_root)
    tail = _NORMAL.cdf(signed_root) + density * (1 / signed_root - 1 / scaled_tilt)
    return min(1.0, max(0.0, tail))


def _saddlepoint(draws: Floats) -> float:
    """The tilt at which the tilted mean of the draws is 0: the slope of log mean exp(tilt x) is convex, so Newton
    steps kept between bounds that close in never leave it."""
    low, high, tilt = -_reach(draws), _reach(-draws), 0.0
    for _ in range(60):
        powers = np.exp(tilt * draws)
        mass = float(powers.sum())
        slope = float((powers * draws).sum()) / mass
        low, high = (low, tilt) if slope > 0 else (tilt, high)
        curvature = float((powers * draws * draws).sum()) / mass - slope * slope
        step = tilt - slope / curvature if curvature > _TINY else math.nan
        following = step if low < step < high else (low + high) / 2
        if abs(following - tilt) < 1e-10 * (1 + abs(tilt)):
            break
        tilt = following
    return tilt


def _reach(draws: Floats) -> float:
    """How far the tilt can lie from 0: beyond it the most negative draw outweighs all positive ones together."""
    against = float(draws.min())
    in_favour = float(draws[draws > 0].sum())
    return min(600.0, max(1.0, math.log(max(in_favour / -against, 1.0) + 1.0) / -against + 1.0))


def bootstrap_bound(paired: Paired, level: float) -> float:
    """The mean below which the bootstrap distribution has `level` of its mass; an interval takes two of them."""
    low, high = float(paired.values.min()), float(paired.values.max())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if bootstrap_tail(paired, middle) > level else (middle, high)
    return (low + high) / 2


def expanded(t: float, effective: float) -> float:
    """The bootstrap tail that answers to Student's t at n_eff - 1 degrees of freedom.

    The bootstrap's spread is too small by sqrt((n - 1) / n) and its tails are a normal's; Hesterberg (What Teachers
    Should Know About the Bootstrap, 2015, section 5.3) expands the level so that both are made good.
    """
    return normal_tail(t * math.sqrt(effective / (effective - 1)))


def spend(look: int, looks: int) -> float:
    """The share of an error budget that a look may spend: half at the first, the rest evenly over the others.

    Shares add to 1, so errors over all looks stay within the budget however much the looks have in common.
    """
    if looks == 1:
        return 1.0
    return 0.5 if look == 1 else 0.5 / (looks - 1)


def promotion_level(paired: Paired, alpha: float, look: int, looks: int) -> float:
    """The bootstrap tail below which a candidate may be promoted at this look: the alpha that is solved for this n.

    Two promises, of which the harder one decides. Equal adapters: t must pass the quantile of this look's share of
    `alpha`. One point worse: t counted from -0.01 must pass the quantile of this look's share of the error that leaves
    a run of 50 such candidates without a promotion in 95 % of cases, 1 - 0.95^(1/50) = 0.00103 each. With few or noisy
    rows a point is nothing and the second rules; with very many the first does.
    """
    return expanded(needed_t(paired.effective, paired.standard_error, alpha, look, looks), paired.effective)


def needed_t(effective: float, error: float, alpha: float, look: int, looks: int) -> float:
    """What t = mean / error must pass before a candidate is promoted, from n_eff and the standard error alone."""
    share, degrees = spend(look, looks), effective - 1
    each = 1 - (1 - RUN_ERROR) ** (1 / RUN_LENGTH)
    head_start = ONE_POINT / error if error > 0 else math.inf
    return max(t_quantile(alpha * share, degrees), t_quantile(each * share, degrees) - head_start)


def is_worse(paired: Paired, by: float, level: float) -> bool:
    """Whether the rows prove, at error `level`, that the candidate is worse by more than `by` >= 0."""
    against = paired.flipped().cautious()
    effective = against.effective
    if against.mean <= by:
        return False
    return bootstrap_tail(against, at=by) < expanded(t_quantile(level, effective - 1), effective)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a look proves. `tail`: the bootstrap's mass at or below no difference; `level`: what it must fall below."""

    tail: float
    level: float
    worse: bool

    @property
    def better(self) -> bool:
        return self.tail < self.level


def prove(paired: Paired, alpha: float, look: int, looks: int, *, screened: bool = False) -> Proof:
    """Whether the candidate is proven better, or worse, at this look; neither, most often, for want of evidence.

    `screened`: it has passed a screen, which has spent its share of what this look may wrongly reject.
    """
    cautious = paired.cautious()
    tail = bootstrap_tail(cautious)
    if cautious.mean <= 0:
        tail = max(tail, 0.5)  # the formula's own rounding must not prove what the mean denies
    left = 1 - SCREEN_SHARE if screened else 1.0
    return Proof(
        tail=tail,
        level=promotion_level(cautious, alpha, look, looks),
        worse=is_worse(paired, by=0.0, level=alpha * spend(look, looks) * left),
    )


def screen_level(alpha: float, looks: int) -> float:
    """The error at which a screen before the first look rejects: taken from that look, so nothing is added."""
    return alpha * spend(1, looks) * SCREEN_SHARE


def detectable_gain(paired: Paired, level: float) -> float:
    """The true gain that a look like this one would promote in 80 % of cases, in the unit of the values."""
    return (-_NORMAL.inv_cdf(max(level, 1e-15)) + _NORMAL.inv_cdf(0.8)) * paired.standard_error
