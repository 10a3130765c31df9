"""How often the gate errs, and what it sees: simulated candidates, seeded. `python -m bench.gate` prints the tables of
docs/gate.md.

Each candidate is looked at as the daemon does: at n prompts, and while it is held, twice more as its gate grows by half
each time, on what was read before and the new prompts together. Differences are drawn from five kinds of candidates
whose true mean difference is known. A guard never rejects here.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.random import Generator

from learners.gate.judge import GROWTH
from learners.gate.statistics import Floats, Paired, prove

ALPHA, LOOKS, RUN = 0.05, 3, 50
PROMPTS = (60, 100, 200, 400)
GAINS = (0.02, 0.03, 0.05)


def noisy(random: Generator, count: int, mean: float) -> Paired:
    """Every answer differs: normal, standard deviation 14 points."""
    return _equal(random.normal(mean, 0.14, count))


def mostly_same(random: Generator, count: int, mean: float) -> Paired:
    """Three answers of four are the same; the others differ by 28 points in standard deviation."""
    return _equal(np.where(random.random(count) < 0.25, random.normal(4 * mean, 0.28, count), 0.0))


def graded(random: Generator, count: int, mean: float) -> Paired:
    """A validator's score of five parts (20, 25, 20, 20, 15), each right in nine of ten answers of the champion."""
    parts = np.array([0.2, 0.25, 0.2, 0.2, 0.15])
    candidate, champion = (
        (random.random((count, 5)) < right).astype(np.float64) @ parts for right in (0.9 + mean, 0.9)
    )
    return _equal(candidate - champion)


def decayed(random: Generator, count: int, mean: float) -> Paired:
    """Like noisy, with weights that fall to an eighth from the newest to the oldest prompt."""
    return Paired(random.normal(mean, 0.14, count), 2.0 ** -np.linspace(0, 3, count))


def disastrous(random: Generator, count: int, mean: float) -> Paired:
    """A little better almost always, 60 points worse on one prompt of 25: harm that few rows may not show at all."""
    return _equal(np.where(random.random(count) < 0.04, -0.6, 0.025) + mean)


KINDS: dict[str, Callable[[Generator, int, float], Paired]] = {
    kind.__name__: kind for kind in (noisy, mostly_same, graded, decayed, disastrous)
}


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of candidates, over all looks; `first` is what the first look promoted."""

    promoted: float
    first: float
    rejected: float


def simulate(kind: str, prompts: int, mean: float, candidates: int, seed: int) -> Rates:
    """What becomes of so many candidates whose true difference is `mean`."""
    random = np.random.default_rng([seed, prompts, round(1000 * (1 + mean)), list(KINDS).index(kind)])
    ends = [_end(KINDS[kind], random, prompts, mean) for _ in range(candidates)]
    promoted = [look for what, look in ends if what == "promote"]
    rejected = sum(what == "reject" for what, _ in ends)
    return Rates(len(promoted) / candidates, promoted.count(1) / candidates, rejected / candidates)


def _end(
    kind: Callable[[Generator, int, float], Paired], random: Generator, prompts: int, mean: float
) -> tuple[str, int]:
    sizes = [math.ceil(prompts * GROWTH**look) for look in range(LOOKS)]
    everything = kind(random, sizes[-1], mean)
    for look, size in enumerate(sizes, start=1):
        seen = Paired(everything.values[:size], everything.weights[:size])
        if abs(seen.mean) < seen.standard_error:
            continue  # proves nothing either way; not asking saves most of the time
        proof = prove(seen, ALPHA, look, LOOKS)
        if proof.better or proof.worse:
            return ("promote" if proof.better else "reject"), look
    return "expire", LOOKS


def _equal(values: Floats) -> Paired:
    return Paired(values, np.ones(len(values)))


def _row(cell: tuple[str, int, int, int]) -> str:
    kind, prompts, candidates, seed = cell
    equal = simulate(kind, prompts, 0.0, candidates, seed)
    worse = simulate(kind, prompts, -0.01, candidates, seed)
    run = 1 - (1 - worse.promoted) ** RUN
    gains = [simulate(kind, prompts, gain, max(200, candidates // 10), seed) for gain in GAINS]
    power = " | ".join(f"{gain.first:.0%} / {gain.promoted:.0%}" for gain in gains)
    name = kind.replace("_", " ")
    return f"| {name} | {prompts} | {equal.promoted:.2%} | {worse.promoted:.3%} | {run:.1%} | {power} |"


def main() -> None:
    """Print one line for each kind of candidate and number of prompts."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candidates", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--prompts", type=int, nargs="+", default=PROMPTS)
    arguments.add_argument("--processes", type=int, default=2)
    given = arguments.parse_args()
    print(f"seed {given.seed}, {given.candidates} candidates a cell, alpha {ALPHA}, {LOOKS} looks\n")
    print(
        "| candidates | prompts | equal: promoted | a point worse: promoted | runs of 50 with one | "
        + " | ".join(f"{100 * gain:.0f} better: first look / all" for gain in GAINS)
        + " |"
    )
    print("| --- " * (5 + len(GAINS)) + "|")
    cells = [(kind, prompts, given.candidates, given.seed) for kind in KINDS for prompts in given.prompts]
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        for row in pool.map(_row, cells):
            print(row, flush=True)


if __name__ == "__main__":
    main()
