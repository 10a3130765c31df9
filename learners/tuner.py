"""Learner `hyperparameters`: searches settings of a task's method in idle time, and says when to adopt some. Pure.

A study tries settings in short trainings on train rows and scores each on the dev fold (`learners.training.search`). It
runs only while nothing else is to be done, at most so many trials in one idle period, and spans as many of those as it
takes. What did best among many trials on one small fold is best partly by chance: so it is adopted only after it wins
again, over fresh seeds and paired by seed, against what is in force. The gate's prompts play no part in any of it.

How long to train is searched in passes over the rows: a trial has few rows, an update may have many more, and the same
number of steps would leave most of those unseen.

Limits: three settings are searched (learning rate, passes, share of replay), of one method a task. Trials of one study
may see a little more data as feedback comes in. The dev fold that chose also confirms, so the gain that is reported is
optimistic; what an adapter is worth is for the gate to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import fmean, stdev
from typing import Any, Final

from learners.job import Knob
from learners.plan import MAX_STEPS, in_passes, passes_of, passes_told, steps_for
from storage.records.settings import DurationS, Settings, setting

RATE, STEPS, PASSES, REPLAY = "learning_rate", "steps", "passes", "replay_share"

SEEDS: Final = 3
# One-sided 95 % of Student's t with SEEDS - 1 = 2 degrees of freedom.
T_95: Final = 2.920
RATE_SPAN: Final = 10.0
PASSES_SPAN: Final = 3.0
FEWEST_STEPS: Final = 4
LEAST_REPLAY: Final = 0.25
MIN_DEV: Final = 8
GROWTH: Final = 1.5  # a task is studied again when it has so many times the rows of its last study
MOST_CRASHES: Final = 3


class TunerSettings(Settings):
    """Settings of `updates.hyperparameters`."""

    trials: int = setting(24, doc="Trials of a study that begins by itself.", unit="trials", ge=4)
    at_once: int = setting(12, doc="Trials in one idle period at most.", unit="trials", ge=2 * SEEDS, le=12)
    idle: DurationS = setting(30.0, doc="How long no update must have been at work before a search begins.")
    pause: DurationS = setting(
        600.0, doc="After `at_once` trials without an update in between: how long until the next idle period."
    )
    min_gain: float = setting(
        0.01, doc="What settings must gain on the dev fold, as a share of its loss, to be adopted.", unit="share", ge=0
    )


@dataclass(frozen=True, slots=True)
class Idleness:
    """How idle a daemon is: seconds since anything else was at work, trials run since, seconds since the last ended.

    `busy` says what is at work, or ripe; empty for nothing. `since_last_s` is None before the first trial.
    """

    busy: str
    quiet_s: float
    used: int
    since_last_s: float | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many trials may be run now, and why not more."""

    trials: int
    reason: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """Whether settings won, why in words and numbers, and the mean gain as a share of what is in force."""

    won: bool
    reason: str
    gain: float


def knobs_for(settings: Mapping[str, Any], *, rows: int, replay_share: float, replayable: int) -> tuple[Knob, ...]:
    """What a study on so many rows turns, around a method's configured settings; the replay's share only where there is
    something to replay."""
    rate = settings[RATE]
    knobs = [
        Knob(name=RATE, low=rate / RATE_SPAN, high=rate * RATE_SPAN, log=True, configured=rate),
        _passes_knob(rows, settings["batch_size"], settings[STEPS]),
    ]
    if replayable:
        knobs.append(Knob(name=REPLAY, low=min(LEAST_REPLAY, replay_share), high=1.0, configured=replay_share))
    return tuple(knobs)


def _passes_knob(rows: int, batch_size: int, steps: int | str) -> Knob:
    """No less than one pass and `FEWEST_STEPS`, no more than `MAX_STEPS`, unless what is configured lies beyond."""
    now = passes_in(steps, rows, batch_size)
    fewest, most = (passes_of(bound, rows, batch_size) for bound in (FEWEST_STEPS, MAX_STEPS))
    low = min(now, max(1.0, fewest, now / PASSES_SPAN))
    high = max(now, min(most, now * PASSES_SPAN), low * PASSES_SPAN / 2)
    return Knob(name=PASSES, low=low, high=high, log=True, configured=now)


def passes_in(steps: float | str, rows: int, batch_size: int) -> float:
    """What a method's `steps` come to on so many rows, in passes."""
    if isinstance(steps, str) and steps != "auto":
        return passes_told(steps)
    return passes_of(steps_for(rows, batch_size, "auto") if isinstance(steps, str) else steps, rows, batch_size)


def of_method(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a search tells them, in the words of the method's own; without the share of replay, which is none of
    it. So many `steps`, as searches found them before they searched passes, stay so many."""
    own = {name: value for name, value in settings.items() if name not in (PASSES, STEPS, REPLAY)}
    if PASSES in settings:
        own[STEPS] = in_passes(settings[PASSES])
    elif STEPS in settings:
        own[STEPS] = settings[STEPS] if settings[STEPS] == "auto" else int(settings[STEPS])
    return own


def may_search(found: Idleness, settings: TunerSettings) -> Allowance:
    """How many trials this idle period still has."""
    if found.busy:
        return Allowance(0, found.busy)
    if found.quiet_s < settings.idle:
        return Allowance(0, f"idle for {found.quiet_s:.0f} s of {settings.idle:.0f} s")
    if found.used < settings.at_once:
        return Allowance(settings.at_once - found.used, "idle")
    if found.since_last_s is not None and found.since_last_s < settings.pause:
        left_s = settings.pause - found.since_last_s
        return Allowance(0, f"{found.used} trials in this idle period; the next begins in {left_s:.0f} s")
    return Allowance(settings.at_once, "idle, in a new period")


def is_due(rows: int, min_rows: int, rows_of_last: int | None) -> bool:
    """Whether a task with so many rows should be studied by itself: the first time, then as it grows."""
    return rows >= (min_rows if rows_of_last is None else max(min_rows, GROWTH * rows_of_last))


def judge(pairs: Sequence[tuple[float, float]], settings: TunerSettings) -> Adoption:
    """Whether settings won: `pairs` are (in force, proposed) by seed, both losses on the dev fold, lower is better.

    They must do better under every seed, by `min_gain` on average, and by Student's paired t, one-sided at 5 %.
    """
    if len(pairs) < SEEDS or not all(isfinite(value) for pair in pairs for value in pair):
        return Adoption(False, f"{len(pairs)} of {SEEDS} seeds gave a loss for both", 0.0)
    gains = [now - then for now, then in pairs]
    before = fmean(now for now, _ in pairs)
    gain = fmean(gains) / before if before > 0 else 0.0
    wins, t = sum(each > 0 for each in gains), _t(gains)
    words = (
        f"dev {before:.4g} -> {fmean(then for _, then in pairs):.4g}, better in {wins} of {len(gains)} seeds, "
        f"gain {100 * gain:.1f} %, t {t:.2f}"
    )
    if wins < len(gains):
        return Adoption(False, f"{words}: not in every seed", gain)
    if gain < settings.min_gain:
        return Adoption(False, f"{words}: less than {100 * settings.min_gain:g} %", gain)
    if t < T_95:
        return Adoption(False, f"{words}: could be chance (t below {T_95})", gain)
    return Adoption(True, words, gain)


def differ(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two settings are not the same for all that matters (a part in a million)."""
    return one.keys() != other.keys() or any(abs(one[name] - other[name]) > 1e-6 * abs(other[name]) for name in one)


def in_words(settings: Mapping[str, float | str]) -> str:
    """`learning_rate 0.0021, 6.25 passes over the rows`; so many steps as `40 steps`."""
    return ", ".join(_in_words(name, value) for name, value in settings.items())


def _in_words(name: str, value: float | str) -> str:
    number = value if isinstance(value, str) else f"{value:.3g}" if value % 1 else f"{value:g}"
    if name == PASSES:
        return f"{number} passes over the rows"
    return f"{number} steps" if name == STEPS else f"{name} {number}"


def _t(gains: Sequence[float]) -> float:
    """Student's t of the mean; without any spread, infinite in the direction of the mean."""
    spread = stdev(gains)
    if spread == 0:
        return inf if gains[0] > 0 else -inf
    return fmean(gains) / (spread / sqrt(len(gains)))
