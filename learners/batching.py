"""When a batch is ripe: how many examples an update needs now, how many there are, and which ones it would take.

An update on too few examples chases noise, one that waits for too many comes late. So the need moves between `min` and
`max` with what the last feedback tells, and what counts towards it is capped per user, so that one loud user neither
hastens an update nor fills it. Pure: the daemon measures, this decides and says why.

Limits: an example given by several users counts for each of them; examples without a user cannot be told apart and
count as one user together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Literal, Self

from pydantic import model_validator

from storage.records import Origin
from storage.records.settings import DurationS, Settings, setting

POOL_MAX = 300
FULL_TREND = 0.5  # a change of the mean signal by so much, over the recent signals, moves the need all the way
MIN_TREND_SIGNALS = 10

# How much of the way from min to max each of the four can move the need. They add up to 1, so it never leaves the way.
_BY_ARRIVALS, _BY_QUALITY, _BY_RARITY, _BY_TREND = 0.4, 0.2, 0.2, 0.2
_WORTH_A_WORD = 0.03


class BatchingSettings(Settings):
    """`batching:` in adaptd.yaml."""

    min: int = setting(20, doc="The fewest examples an update is started with.", unit="examples", ge=1)
    max: int = setting(100, doc="The most examples an update takes at once.", unit="examples", ge=1, le=POOL_MAX)
    max_wait: DurationS = setting(
        86400.0, doc="After an example has waited this long, min of them are enough (caps and users still hold).", gt=0
    )
    max_share_per_user: float = setting(
        0.2, doc="The most of a batch, and of a verdict's evidence, that one user may give.", unit="share", gt=0, le=1
    )
    min_users: int = setting(5, doc="A batch has examples of at least so many users.", unit="users", ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"batching.max ({self.max}) is below batching.min ({self.min}); raise max or lower min")
        return self


@dataclass(frozen=True, slots=True)
class BatchExample:
    """An example that an update could use: whose feedback it holds, and its lot (`learners.lots`): lower is earlier."""

    origin: Origin
    users: tuple[str, ...]
    lot: float


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """What is known of a task when it is asked whether its batch is ripe.

    `examples` are those a method makes a row of, newest first. `mean_signal` in [0, 1] is None before any feedback;
    `signal_trend` is the change of the signal over the recent ones, in [-1, 1], by a fitted line; `rarity` in [0, 1]
    is 0 for a task that gets its even share of all feedback and nears 1 as it gets none. `asked`: somebody wants an
    update now, with as few as may be.
    """

    task: str
    now: datetime
    oldest_wait_s: float
    arrivals_per_hour: float
    mean_signal: float | None
    signal_trend: float
    rarity: float
    examples: tuple[BatchExample, ...]
    asked: bool = False


@dataclass(frozen=True, slots=True)
class BatchDecision:
    """`have` of `need` examples after at most `cap` a user, of `users` users, and why.

    `pool` (newest first) is what an update may reserve, `batch` (as lots were drawn) what it would use without a
    selector; both are empty while waiting. `counted` is the batch as it would be, also while waiting.
    """

    ripe: bool
    have: int
    need: int
    cap: int
    users: int
    state: Literal["waiting", "ripe"]
    reason: str
    pool: tuple[Origin, ...]
    batch: tuple[Origin, ...]
    counted: tuple[Origin, ...] = ()


def measure(
    task: str,
    now: datetime,
    settings: BatchingSettings,
    *,
    arrivals: Mapping[str, int],
    signals: Sequence[tuple[datetime, float]],
    oldest_at: datetime | None,
    examples: Sequence[BatchExample],
    asked: bool = False,
) -> BatchEvidence:
    """Evidence from counts: feedback that came to each task within the last `max_wait`, the recent (time, signal) of
    this one, what was received last first, since when the oldest example waits."""
    values = in_order(signals)
    return BatchEvidence(
        task=task,
        now=now,
        oldest_wait_s=max(0.0, (now - oldest_at).total_seconds()) if oldest_at else 0.0,
        arrivals_per_hour=arrivals.get(task, 0) * 3600 / settings.max_wait,
        mean_signal=sum(values) / len(values) if values else None,
        signal_trend=trend_of(values),
        rarity=rarity_of(task, arrivals),
        examples=tuple(examples),
        asked=asked,
    )


def in_order(signals: Sequence[tuple[datetime, float]]) -> list[float]:
    """The signals of (time, signal), what was received last first, by their times, the oldest first; those of one time
    as they were received, since any other order of them, such as by their value, would be a trend that is not there."""
    received = signals[::-1]
    return [signal for _, signal in sorted(received, key=lambda each: each[0])]


def trend_of(signals: Sequence[float]) -> float:
    """The rise from the first to the last signal of the line fitted by least squares, within [-1, 1].

    Over their order, not their times, so that a quiet night is not a trend; 0 for fewer than ten.
    """
    count = len(signals)
    if count < MIN_TREND_SIGNALS:
        return 0.0
    middle, mean = (count - 1) / 2, sum(signals) / count
    spread = sum((place - middle) ** 2 for place in range(count))
    slope = sum((place - middle) * (signal - mean) for place, signal in enumerate(signals)) / spread
    return max(-1.0, min(1.0, slope * (count - 1)))


def rarity_of(task: str, arrivals: Mapping[str, int]) -> float:
    """0 where the task gets at least its even share of all arrivals, rising to 1 as it gets none."""
    total = sum(arrivals.values())
    if not total:
        return 0.0
    return max(0.0, 1 - arrivals.get(task, 0) * len(arrivals) / total)


def decide(evidence: BatchEvidence, settings: BatchingSettings) -> BatchDecision:
    """Whether to start an update now, with what, and why (or why not)."""
    pushes = _pushes(evidence, settings)
    waited = evidence.asked or evidence.oldest_wait_s >= settings.max_wait
    need = settings.min if waited else need_of(evidence, settings)
    cap = ceil(settings.max_share_per_user * need)
    pool = _under_cap(evidence.examples, ceil(settings.max_share_per_user * POOL_MAX))[:POOL_MAX]
    admitted = _under_cap(_by_lot(pool, settings.min_users), cap)
    batch = admitted[: settings.max]
    users = len({user for example in batch for user in _users(example)})
    ripe = len(admitted) >= need and users >= settings.min_users
    because = [_why_the_fewest(evidence)] if waited else _words(pushes)
    because += _hindrances(evidence.examples, len(admitted), need, cap, users, settings)
    return BatchDecision(
        ripe=ripe,
        have=len(admitted),
        need=need,
        cap=cap,
        users=users,
        state="ripe" if ripe else "waiting",
        reason=f"{len(admitted)} of {need} examples, {users} of {settings.min_users} users: {', '.join(because)}",
        pool=tuple(example.origin for example in pool) if ripe else (),
        batch=tuple(example.origin for example in batch) if ripe else (),
        counted=tuple(example.origin for example in batch),
    )


def _why_the_fewest(evidence: BatchEvidence) -> str:
    return "asked for by hand" if evidence.asked else "waited long enough for the fewest"


def need_of(evidence: BatchEvidence, settings: BatchingSettings) -> int:
    """How many examples an update needs, from min to max, `max_wait` aside.

    Each push is a share of the way from its lowest to its highest; neutral is half of it (rarity: all of it).
    """
    neutral = _BY_ARRIVALS / 2 + _BY_QUALITY / 2 + _BY_RARITY + _BY_TREND / 2
    share = neutral + sum(_pushes(evidence, settings).values())
    need = round(settings.min + (settings.max - settings.min) * share)
    return max(settings.min, min(settings.max, need))


def _pushes(evidence: BatchEvidence, settings: BatchingSettings) -> dict[str, float]:
    """How far each of the four moves the need from neutral, as a share of the way from min to max.

    Arrivals are taken against the rate that would just fill `max` examples within `max_wait`.
    """
    filling = evidence.arrivals_per_hour * settings.max_wait / 3600 / settings.max
    quality = 0.5 if evidence.mean_signal is None else evidence.mean_signal
    trend = max(-1.0, min(1.0, evidence.signal_trend / FULL_TREND))
    return {
        "arrivals": _BY_ARRIVALS * (filling / (1 + filling) - 0.5),
        "quality": _BY_QUALITY * (0.5 - quality),
        "rarity": -_BY_RARITY * evidence.rarity,
        "trend": _BY_TREND * trend / 2,
    }


_PHRASES = {
    "arrivals": ("many arrive", "few arrive"),
    "quality": ("quality low", "quality high"),
    "rarity": ("", "rare task"),
    "trend": ("quality rising", "quality falling"),
}


def _words(pushes: Mapping[str, float]) -> list[str]:
    """What moves the need, the strongest first."""
    strongest = sorted(pushes.items(), key=lambda push: -abs(push[1]))
    said = [_PHRASES[name][push < 0] for name, push in strongest if abs(push) >= _WORTH_A_WORD]
    return said or ["nothing out of the ordinary"]


def _hindrances(
    examples: Sequence[BatchExample], have: int, need: int, cap: int, users: int, settings: BatchingSettings
) -> list[str]:
    """What an operator should know of why there are not more."""
    said = []
    if have < need and len(examples) > have:
        said.append(f"{len(examples) - have} more are over the cap of {cap} a user")
    if users < settings.min_users:
        said.append(f"feedback of {settings.min_users - users} more users is needed")
        if any(not example.users for example in examples):
            said.append("examples without user_id count as one user")
    return said


def _users(example: BatchExample) -> tuple[str, ...]:
    return example.users or ("",)


def _under_cap(examples: Iterable[BatchExample], cap: int) -> list[BatchExample]:
    """Those that fit, taken in the order given, when no user may be in more than `cap` of them."""
    held: Counter[str] = Counter()
    kept = []
    for example in examples:
        users = set(_users(example))
        if all(held[user] < cap for user in users):
            held.update(users)
            kept.append(example)
    return kept


def _by_lot(examples: Sequence[BatchExample], min_users: int) -> list[BatchExample]:
    """By lot, newer first among equals, but opened by one example of each of `min_users` users, so that a batch has
    them all."""
    ordered = sorted(examples, key=lambda example: example.lot)
    seen: set[str] = set()
    openers: list[BatchExample] = []
    rest: list[BatchExample] = []
    for example in ordered:
        opens = len(seen) < min_users and not seen.issuperset(_users(example))
        (openers if opens else rest).append(example)
        seen.update(_users(example) if opens else ())
    return openers + rest
