"""Where an update starts, and what it sees again of what was learned before. Pure.

Why: a batch of 20 to 100 rows is too little to learn from alone. A fresh LoRA from the base on everything learned so
far does best under drift, but costs more with every update; once that no longer fits the time, training goes on from
the champion, with at least half replay against forgetting.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, fsum
from random import Random
from statistics import median
from typing import Literal

from storage.records import Row

StartMode = Literal["auto", "base", "champion"]
UNMEASURED_ROWS = 1000  # what is taken to fit the time while no update of this line has been timed
_ROUNDING = 1e-9  # a weight that comes to the least counted must not miss it by the last bit
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
    """At most `budget` learned rows, drawn without replacement, marked `replay`, weighted so as to stand for all.

    A row of weight w is drawn with probability w / c and then counts c; one of more than c is drawn for certain and
    counts w. So each counts its weight on average, whatever the budget, the drawn ones count together what all do, and
    where all are drawn the weights stay. Drawn in proportion to weight and trained by weight, decay would count twice.

    Interactions in `without` (those of the batch: they are learned anew) are left out, as are rows of weight 0. The
    same arguments give the same rows, in the order given. Methods: the weights are those of Horvitz and Thompson, "A
    generalization of sampling without replacement from a finite universe", Journal of the American Statistical
    Association 47 (1952); drawn is systematically, in random order, by Madow, "On the theory of systematic sampling,
    II", Annals of Mathematical Statistics 20 (1949): of fixed size, and no luck in what the rows count together.
    """
    if budget <= 0:
        return ()
    random = Random(seed)
    places = [at for at, row in enumerate(rows) if row.weight > 0 and row.origin.interaction_id not in without]
    random.shuffle(places)
    weights = [rows[at].weight for at in places]
    least = _least_counted(weights, budget)
    chosen = sorted(_drawn(places, weights, least, random.random()))
    return tuple(replace(rows[at], weight=max(rows[at].weight, least), replay=True) for at in chosen)


def sample_share(rows: Sequence[Row], share: float, seed: int) -> tuple[Row, ...]:
    """That share of the rows, in (0, 1], drawn as `sample_replay` does; each row counts that share of its weight."""
    drawn = sample_replay(rows, ceil(share * len(rows)), seed)
    return tuple(replace(row, weight=share * row.weight) for row in drawn)


def _least_counted(weights: Sequence[float], budget: int) -> float:
    """The c for which the probabilities min(1, w / c) sum to the budget; 0 where all are drawn."""
    if budget >= len(weights):
        return 0.0
    lighter, left = fsum(weights), budget
    for weight in sorted(weights, reverse=True):
        if left == 1 or weight * left < lighter * (1 - _ROUNDING):
            break
        lighter, left = lighter - weight, left - 1
    return lighter / left


def _drawn(places: Sequence[int], weights: Sequence[float], least: float, start: float) -> list[int]:
    """The certain ones; of the others laid end to end, those that the points `start`, `start` + 1, ... times c hit."""
    chosen, before = list[int](), start * least
    for at, weight in zip(places, weights, strict=True):
        if weight >= least * (1 - _ROUNDING):
            chosen.append(at)
            continue
        before += weight
        if before >= least:
            chosen.append(at)
            before -= least
    return chosen


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
