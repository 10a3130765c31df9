"""Where an update starts, and what it sees again of what was learned before. Pure.

Why: a batch of 20 to 100 rows is too little to learn from alone. A fresh LoRA from the base on everything learned so
far does best under drift, but costs more with every update; once that no longer fits the time, training goes on from
the champion, with at least half replay against forgetting.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log
from random import Random
from statistics import median
from typing import Literal

from storage.records import Row

StartMode = Literal["auto", "base", "champion"]
UNMEASURED_ROWS = 1000  # what is taken to fit the time while no update of this line has been timed
TIMED = 5  # updates that the time a row takes is measured on, the newest


@dataclass(frozen=True, slots=True)
class StartEvidence:
    """What is known before an update of one line.

    `batch_rows` new rows; `learned_rows` learned before, which count `learned_effective` in all (the sum of their
    decays in [0, 1]); `row_s` seconds to train one row once, as measured on this line, else None; `passes` over the
    rows that the method makes; `budget_s` seconds that training may take.
    """

    champion_is_base: bool
    batch_rows: int
    learned_rows: int
    learned_effective: float
    row_s: float | None
    passes: float
    budget_s: float


@dataclass(frozen=True, slots=True)
class StartChoice:
    """Where to start, how many learned rows to replay, and why, in words and numbers."""

    mode: Literal["base", "champion"]
    replay: int
    reason: str


def measure_row(runs: Sequence[tuple[float, int]]) -> float | None:
    """Seconds to train one row once: the median over the newest `TIMED` runs, given the newest first.

    A run is (seconds of training, rows that it trained, each counted once a step); one that trained nothing tells
    nothing. None without any.
    """
    timed = [seconds / rows for seconds, rows in runs if rows > 0 and seconds > 0][:TIMED]
    return median(timed) if timed else None


def choose_start(wanted: StartMode, evidence: StartEvidence) -> StartChoice:
    """From the base on a decayed sample of everything, while that fits the time; else from the champion."""
    fits = _rows_that_fit(evidence)
    sample = min(evidence.learned_rows, ceil(evidence.learned_effective))
    if evidence.champion_is_base:
        return _from_base(evidence, min(sample, max(0, fits - evidence.batch_rows)), "the champion is the base")
    if wanted == "base":
        return _from_base(evidence, min(sample, max(0, fits - evidence.batch_rows)), "as configured")
    rows = sample + evidence.batch_rows
    if wanted == "auto" and rows <= fits:
        return _from_base(evidence, sample, f"all {rows} rows fit the time ({fits} would, {_pace(evidence)})")
    short = f"{rows} rows do not fit ({fits} would, {_pace(evidence)})"
    why = "as configured" if wanted == "champion" else short
    return _from_champion(evidence, fits, why)


def with_share(choice: StartChoice, share: float, batch_rows: int) -> StartChoice:
    """The choice with that share of its replay; from the champion, still no less than is new (or than there is)."""
    wanted = ceil(share * choice.replay)
    kept = max(wanted, min(batch_rows, choice.replay)) if choice.mode == "champion" else wanted
    if kept == choice.replay:
        return choice
    return replace(choice, replay=kept, reason=f"{choice.reason}; {kept} of them replayed (share {share:.2g})")


def sample_replay(rows: Sequence[Row], budget: int, seed: int, *, without: Collection[str] = ()) -> tuple[Row, ...]:
    """At most `budget` learned rows, drawn without replacement in proportion to weight, marked `replay`.

    Interactions in `without` (those of the batch: they are learned anew) are left out, as are rows of weight 0. The
    same arguments give the same rows, in the order given. Method: Efraimidis and Spirakis, "Weighted random sampling
    with a reservoir", Information Processing Letters 97 (2006): the largest of u ** (1 / weight).
    """
    random = Random(seed)
    keys = [(_key(random.random(), row.weight), at) for at, row in enumerate(rows)]
    drawable = [(key, at) for key, at in keys if rows[at].weight > 0 and rows[at].origin.interaction_id not in without]
    chosen = sorted(at for _, at in sorted(drawable, reverse=True)[: max(0, budget)])
    return tuple(replace(rows[at], replay=True) for at in chosen)


def _rows_that_fit(evidence: StartEvidence) -> int:
    if not evidence.row_s or evidence.passes <= 0:
        return UNMEASURED_ROWS
    return floor(evidence.budget_s / (evidence.row_s * evidence.passes))


def _pace(evidence: StartEvidence) -> str:
    if evidence.row_s is None:
        return "not timed yet"
    return f"{evidence.row_s:.2g} s a row, {evidence.passes:.3g} passes, {evidence.budget_s:g} s"


def _from_base(evidence: StartEvidence, replay: int, why: str) -> StartChoice:
    return StartChoice("base", replay, f"fresh from the base on {evidence.batch_rows} new and {replay} replayed: {why}")


def _from_champion(evidence: StartEvidence, fits: int, why: str) -> StartChoice:
    """At least as many replayed rows as new ones, where there are so many; more when they fit."""
    replay = min(evidence.learned_rows, max(evidence.batch_rows, fits - evidence.batch_rows))
    return StartChoice(
        "champion", replay, f"on from the champion on {evidence.batch_rows} new and {replay} replayed: {why}"
    )


def _key(uniform: float, weight: float) -> float:
    """log(u) / weight orders as u ** (1 / weight) does, and does not underflow."""
    return log(1.0 - uniform) / weight if weight > 0 else 0.0
