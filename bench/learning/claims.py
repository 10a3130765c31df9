"""The six claims, each with its measure, on one setting's results. What is not reached is said so.

A claim is tested one-sided over the report seeds, Holm-corrected over all claims that could be measured: `reproduced`
where the corrected p is at most 5 %, `not reproduced` where the whole 95 % interval lies on the wrong side, `open`
between them; with fewer than `FEWEST` seeds `too few seeds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.learning.cells import BY_ROWS, MOST_ROWS
from bench.learning.seeds import REPORT
from bench.learning.settings import ARRIVAL, ASK, ASK_RANDOM
from bench.learning.statistics import Estimate, censored_median, estimate, first_reached, holm, p_above

TARGET = 0.90  # the fixed score of the claims on time and data; the page says how it was chosen
FEWEST = 5
Results = Sequence[Mapping[str, Any]]
BySeed = dict[int, Mapping[str, Any]]
ToTarget = dict[int, float | None]


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of the table. `values` are one number a seed, oriented so that more is better; reached above `bound`.
    `found` and `wanted` are in words."""

    name: str
    wanted: str
    found: str
    values: tuple[float, ...]
    bound: float

    @property
    def interval(self) -> Estimate:
        return estimate(self.values)


Verdict = Literal["reproduced", "not reproduced", "open", "too few seeds"]


def verdicts(claims: Sequence[Claim]) -> dict[str, Verdict]:
    """By name of the claim."""
    adjusted = holm({claim.name: p_above(claim.values, claim.bound) for claim in claims})
    return {claim.name: _verdict(claim, adjusted[claim.name]) for claim in claims}


def _verdict(claim: Claim, p: float) -> Verdict:
    if len(claim.values) < FEWEST:
        return "too few seeds"
    if p <= 0.05:
        return "reproduced"
    return "not reproduced" if claim.interval.high < claim.bound else "open"


def claims_of(results: Results, setting: str) -> list[Claim]:
    """Those that there are results for."""
    made = [
        *(_level(results, setting, base, "score", "quality", 0.85) for base in ("strong", "weak")),
        *(_level(results, setting, base, "edge", "edge cases", 0.70) for base in ("strong", "weak")),
        *(_level(results, setting, base, "generic", "generic content", 0.03) for base in ("strong", "weak")),
        *(_time(results, setting, base) for base in ("strong", "weak")),
        *(_labels(results, setting, base) for base in ("strong", "weak")),
        *(_asked(results, base) for base in ("strong", "weak")),
        *(_hard(results, setting, base) for base in ("strong", "weak")),
    ]
    return [claim for claim in made if claim is not None]


def select(results: Results, kind: str, base: str, point: str, setting: str) -> BySeed:
    """The results of one setting at one point on the report seeds."""
    prefix = f"{kind}/{base}/{point}/{setting}/"
    found = {int(one["cell"].rpartition("/")[2]): one for one in results if one["cell"].startswith(prefix)}
    return {seed: found[seed] for seed in REPORT if seed in found}


def metric(found: BySeed, name: str) -> dict[int, float]:
    """One metric by seed."""
    return {seed: one["metrics"][name] for seed, one in found.items()}


def _level(results: Results, setting: str, base: str, name: str, words: str, wanted: float) -> Claim | None:
    found = select(results, "update", f"erd-{base}", "centre", setting)
    if not found:
        return None
    sign = -1 if name == "generic" else 1
    before = estimate([one["base_metrics"][name] for one in found.values()]).mean
    after = estimate(list(metric(found, name).values()))
    said = f"{100 * before:.1f} -> {100 * after.mean:.1f} ({100 * after.low:.1f} to {100 * after.high:.1f})"
    asked = f"{100 * wanted:.0f} or {'less' if sign < 0 else 'more'}"
    values = tuple(sign * value for value in metric(found, name).values())
    return Claim(f"{words}, {base} base", asked, said, values, sign * wanted)


def _time(results: Results, setting: str, base: str) -> Claim | None:
    """CPU seconds to `TARGET` against those of training in order of arrival; a miss counts as the last look."""
    pair = [_times(results, base, name) for name in (setting, ARRIVAL.name)]
    seeds = [seed for seed in pair[0] if seed in pair[1]]
    if not seeds or setting == ARRIVAL.name:
        return None
    medians = [censored_median([times[seed][0] for seed in seeds]) for times in pair]
    steps = [censored_median([times[seed][1] for seed in seeds]) for times in pair]
    said = " against ".join(_time_words(*both) for both in zip(medians, steps, strict=True))
    ratios = tuple(-math.log(_or_last(pair[0][seed]) / _or_last(pair[1][seed])) for seed in seeds)
    return Claim(f"time to {100 * TARGET:.0f}, {base} base", "60 % of the time", said, ratios, -math.log(0.6))


def _time_words(cpu_s: float | None, steps: float | None) -> str:
    return "not reached" if cpu_s is None or steps is None else f"{cpu_s:.2f} CPU s ({steps:.0f} steps)"


Reached = tuple[float | None, float | None, float]  # CPU seconds, steps, CPU seconds of the last look


def _times(results: Results, base: str, setting: str) -> dict[int, Reached]:
    found = select(results, "curve", f"erd-{base}", "curve", setting)
    return {
        seed: (
            first_reached([(look["cpu_s"], look["score"]) for look in one["curve"]], TARGET),
            first_reached([(look["step"], look["score"]) for look in one["curve"]], TARGET),
            one["curve"][-1]["cpu_s"],
        )
        for seed, one in found.items()
        if one.get("curve")
    }


def _or_last(reached: Reached) -> float:
    return reached[2] if reached[0] is None else reached[0]


def _labels(results: Results, setting: str, base: str) -> Claim | None:
    """Examples trained on until `TARGET`, against the first that came; a miss counts as the most that were tried."""
    if setting == ARRIVAL.name:
        return None
    pair = [labels_to_target(results, base, name) for name in (setting, ARRIVAL.name)]
    return _fewer(f"examples to {100 * TARGET:.0f}, {base} base", *pair)


def _asked(results: Results, base: str) -> Claim | None:
    """Labels that people were asked for until `TARGET`, against as many by lot; whatever setting is looked at."""
    pair = [labels_to_target(results, base, each.name, kind="ask") for each in (ASK, ASK_RANDOM)]
    return _fewer(f"labels asked to {100 * TARGET:.0f}, {base} base", *pair)


def _fewer(name: str, mine: ToTarget, usual: ToTarget) -> Claim | None:
    seeds = [seed for seed in mine if seed in usual]
    if not seeds:
        return None
    medians = [censored_median([counts[seed] for seed in seeds]) for counts in (mine, usual)]
    said = " against ".join("not reached" if each is None else f"{each:.0f}" for each in medians)
    ratios = tuple(math.log((usual[seed] or MOST_ROWS) / (mine[seed] or MOST_ROWS)) for seed in seeds)
    return Claim(name, "half or fewer", said, ratios, math.log(2))


def labels_to_target(results: Results, base: str, setting: str, kind: str = "update") -> ToTarget:
    """By seed, the fewest of the tried numbers of rows with which the target was reached; None for none."""
    curves: dict[int, list[tuple[float, float]]] = {}
    for point in BY_ROWS:
        for seed, value in metric(select(results, kind, f"erd-{base}", point.name, setting), "score").items():
            curves.setdefault(seed, []).append((point.rows, value))
    return {seed: first_reached(curve, TARGET) for seed, curve in curves.items() if len(curve) == len(BY_ROWS)}


def _hard(results: Results, setting: str, base: str) -> Claim | None:
    found = select(results, "update", f"erd-{base}", "centre", setting)
    usual = select(results, "update", f"erd-{base}", "centre", ARRIVAL.name)
    shares = tuple(one["hard_share"] for one in found.values() if "hard_share" in one)
    if not shares:
        return None
    before = [one["hard_share"] for one in usual.values() if "hard_share" in one]
    began = f"{100 * estimate(before).mean:.0f} % -> " if before else ""
    said = f"{began}{100 * estimate(shares).mean:.0f} %"
    return Claim(f"hard share of the plan, {base} base", "35 % or more", said, shares, 0.35)
