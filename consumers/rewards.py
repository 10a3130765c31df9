"""Rewards and weights: what a signal is worth, and how much a row counts now. Computed when read, never stored.

Both depend on configuration and on `now`, so stored ones would lie after the next change. All functions are pure.
Times are aware datetimes, durations seconds, signals in [0, 1], rewards in [-1, 1], weights at least 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from math import inf, isfinite, sqrt, tanh
from typing import Literal

from storage.records.settings import DurationS, Settings, setting

Aggregate = Literal["last", "mean", "min", "max", "first"]
WEIGHT_CAP = 3.0
LEAST_AGREEMENT = 0.1
_DAY_S = 86400.0
_NOTHING = 1e-290  # beside the heaviest; dividing by less would overflow
_ROUNDING = 1e-9  # a share that comes to the cap exactly must not miss it by the last bit


class RewardSettings(Settings):
    """How feedback becomes reward and weight, and how long to wait for more of it."""

    midpoint: float = setting(0.7, doc="the signal whose reward is 0", unit="signal", gt=0, lt=1)
    steepness: float = setting(
        8.0, doc="how sharply the reward turns around the midpoint", unit="factor", ge=0.01, le=100
    )
    half_life: DurationS = setting(30 * _DAY_S, doc="after this long, feedback counts half", gt=0)
    max_age: DurationS = setting(
        365 * _DAY_S, doc="feedback older than this is aged out: not learned from any more", gt=0
    )
    aggregate: Aggregate = setting("last", doc="which of several ratings, thumbs and validations of one answer counts")
    settle: DurationS = setting(
        600.0, doc="wait this long after the last feedback on an answer before learning from it"
    )
    join_wait: DurationS = setting(
        _DAY_S, doc="feedback still without its interaction after this long counts as unjoined"
    )
    trust: bool = setting(
        True, doc="users whose ratings, thumbs and validations disagree with others' on the same answers count less"
    )
    half_life_versions: float | None = setting(
        None,
        doc="a judged answer counts half after so many newer champions; none: versions do not matter",
        unit="adapters",
        gt=0,
    )


def reward(signal: float, settings: RewardSettings) -> float:
    """u(s) = 2 * sigmoid(k * (s - midpoint)) - 1, each side scaled so that its end is -1 or 1. Monotone.

    Source: adaptd's own; with 2 * sigmoid(x) - 1 = tanh(x / 2). Raises ValueError for a signal outside [0, 1].
    """
    if not 0 <= signal <= 1:
        raise ValueError("reward: a signal is in [0, 1]; scale it before")
    half_slope, distance = settings.steepness / 2, signal - settings.midpoint
    end = 1 - settings.midpoint if distance >= 0 else settings.midpoint
    return tanh(half_slope * distance) / tanh(half_slope * end)


def decay(effective_at: datetime, now: datetime, half_life_s: float) -> float:
    """2 ** -(age / half life), in [0, 1]: exponential forgetting. What claims to come from the future counts 1."""
    return float(0.5 ** (_age_s(effective_at, now) / half_life_s))


def difficulty(signal: float | None) -> float:
    """2 ** (1 - 2 * s), in [0.5, 2]: an answer far from what was wanted teaches more than one that was nearly right.

    `signal` is about the model's own answer to the prompt; None (there was none) is 1, as is a signal of 0.5.
    Source: adaptd's own; on a logarithmic scale as far up as down.
    """
    return 1.0 if signal is None else float(2.0 ** (1 - 2 * min(1.0, max(0.0, signal))))


def agreement(variance: float) -> float:
    """sqrt(1 - 4 * variance), in [0.1, 1]: how far those who judged one answer say the same.

    `variance` is that of their signals, in [0, 0.25]. Of thumbs it is |share up - share down|: 1 for one voice, 1/2
    for three against one, and where it is even, the least: something was said, if not what. Source: adaptd's own.
    """
    return max(LEAST_AGREEMENT, sqrt(max(0.0, 1 - 4 * variance)))


def agreement_of_voices(first: int, second: int, ties: int = 0) -> float:
    """|first - second| / all, in [0.1, 1], of those who compared two texts; 0 where it is even: it says nothing.

    Without ties, what `agreement` is of thumbs; a tie is a voice for neither. Raises ZeroDivisionError for no voices.
    """
    return max(LEAST_AGREEMENT, abs(first - second) / (first + second + ties)) if first != second else 0.0


def version_decay(versions_behind: int, half_life_versions: float | None) -> float:
    """2 ** -(versions / half life), in [0, 1]; 1 where versions do not matter. As `decay`, by newer champions."""
    return 1.0 if half_life_versions is None else float(0.5 ** (max(0, versions_behind) / half_life_versions))


def weight(
    effective_at: datetime,
    now: datetime,
    settings: RewardSettings,
    *,
    signal: float | None = None,
    trust: float = 1.0,
    variance: float = 0.0,
    versions_behind: int = 0,
) -> float:
    """decay x difficulty x agreement x trust, before it is normalised within an update. `trust` in [0, 1]."""
    aged = decay(effective_at, now, settings.half_life) * version_decay(versions_behind, settings.half_life_versions)
    return aged * difficulty(signal) * agreement(variance) * trust


def normalise(weights: Sequence[float], cap: float = WEIGHT_CAP) -> tuple[float, ...]:
    """The weights of one update, scaled to mean 1 with none above `cap`; their order stays.

    What the cap takes off is shared out over the rest in proportion. Where too few rows have any weight, all of those
    are at the cap and the mean stays below 1; where none has (all decayed to nothing), all count 1.
    Raises ValueError for a weight that is negative or not finite: such a row is not for training.
    """
    if any(not isfinite(each) or each < 0 for each in weights):
        raise ValueError("normalise: a weight is negative or not finite; drop such rows before")
    heaviest = max(weights, default=0.0)
    if heaviest == 0:
        return (1.0,) * len(weights)
    shares = [share if (share := each / heaviest) > _NOTHING else 0.0 for each in weights]
    factor = _factor(shares, cap)
    return tuple(min(cap, share * factor) if share else 0.0 for share in shares)


def _factor(shares: Sequence[float], cap: float) -> float:
    """The f for which the mean of min(cap, f * share) is 1, found from the heaviest down; else one that caps all."""
    heaviest_first = sorted(shares, reverse=True)
    rests = list(accumulate(reversed(heaviest_first)))[::-1]  # summed from the lightest up, or it would be lost
    for capped, (share, rest) in enumerate(zip(heaviest_first, rests, strict=True)):
        left = len(shares) - capped * cap
        if share == 0 or left <= 0:
            break
        factor = left / rest
        if factor * share <= cap * (1 + _ROUNDING):
            return factor
    return inf


def aged_out(effective_at: datetime, now: datetime, settings: RewardSettings) -> bool:
    """Whether feedback of that time is too old to be learned from."""
    return _age_s(effective_at, now) > settings.max_age


def _age_s(effective_at: datetime, now: datetime) -> float:
    return max(0.0, (now - effective_at).total_seconds())
