"""Simulated candidates for bench.gate: differences of scores, candidate minus champion, whose true mean is known.

Each kind draws a matrix of shape (candidates, prompts); scores are in [0, 1], so 0.14 is 14 points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from learners.gate.statistics import Floats, Paired

Shape = tuple[int, int]

# How far apart candidate and champion were on 3,362 prompts: judgings of `adaptd demo` (three seeds, with and without
# the hostile user) in which the means differed by less than 3 points, the first of each run left out. Counts by
# difference in steps of 5 points, both signs together; 56 of 100 are ties.
_DEMO = np.array([1866, 818, 278, 181, 82, 31, 26, 13, 30, 7, 10, 4, 10, 4, 2], dtype=np.float64)
_SPREAD = 0.14


def noisy(random: Generator, shape: Shape, mean: float) -> Floats:
    """Every answer differs: normal, standard deviation 14 points."""
    return random.normal(mean, _SPREAD, shape)


def mostly_same(random: Generator, shape: Shape, mean: float) -> Floats:
    """Three answers of four are the same; the others differ by 28 points in standard deviation."""
    return np.where(random.random(shape) < 0.25, random.normal(4 * mean, 2 * _SPREAD, shape), 0.0)


def demo(random: Generator, shape: Shape, mean: float) -> Floats:
    """As in the demo: 56 of 100 answers score the same, the others differ by what they differed there, stretched to a
    standard deviation of 14 points over all (there it was 6 to 14)."""
    shares = _DEMO / _DEMO.sum()
    steps = np.arange(len(shares))
    spread = float(np.sqrt((shares * steps**2).sum()))
    found = random.choice(steps, size=shape, p=shares) * random.choice([-1.0, 1.0], size=shape)
    return np.asarray(np.where(found != 0, found * _SPREAD / spread + mean / (1 - shares[0]), 0.0))


def graded(random: Generator, shape: Shape, mean: float) -> Floats:
    """A validator's score of five parts (20, 25, 20, 20, 15), each right in nine of ten answers of the champion."""
    parts = np.array([0.2, 0.25, 0.2, 0.2, 0.15])
    candidate, champion = ((random.random((*shape, 5)) < right) @ parts for right in (0.9 + mean, 0.9))
    return np.asarray(candidate - champion)


def decayed(random: Generator, shape: Shape, mean: float) -> Floats:
    """Like noisy, with weights that fall to an eighth from the newest to the oldest prompt."""
    return noisy(random, shape, mean)


def disastrous(random: Generator, shape: Shape, mean: float) -> Floats:
    """A little better almost always, 60 points worse on one prompt of 25: harm that few rows may not show at all."""
    return np.where(random.random(shape) < 0.04, -0.6, 0.025) + mean


KINDS: dict[str, Callable[[Generator, Shape, float], Floats]] = {
    kind.__name__: kind for kind in (noisy, demo, mostly_same, graded, decayed, disastrous)
}


def weights_of(kind: str, prompts: int) -> Floats:
    """What each of the prompts counts, shape (prompts,)."""
    return 2.0 ** -np.linspace(0, 3, prompts) if kind == "decayed" else np.ones(prompts)


def one(kind: str, random: Generator, prompts: int, mean: float) -> Paired:
    """A single candidate."""
    return Paired(KINDS[kind](random, (1, prompts), mean)[0], weights_of(kind, prompts))
