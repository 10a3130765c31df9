"""Which few of many stand best for all of them: greedy facility location over unit vectors. Pure numpy, no chance.

The worth of a choice is the sum, over everything, of the similarity to the nearest thing chosen; the greedy choice
reaches at least 63 % of the best one's (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978). It is
preferred to k-center here because that one seeks the farthest, and what is farthest in feedback is often rubbish:
something that stands for nothing but itself gains little here.

Limits: it compares all with all, so memory grows with the square: 2,000 vectors are 16 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learners.ngrams import Vectors

ALIKE = 0.3  # from this similarity on, one thing stands for another
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pick:
    """One thing chosen: its place, its gain, and how many others it is the nearest chosen of, by then."""

    place: int
    gain: float
    stands_for: int


def cover(
    vectors: Vectors,
    count: int,
    *,
    weights: Sequence[float] | None = None,
    known: Vectors | None = None,
    groups: Sequence[Hashable] | None = None,
    most: int = 1,
) -> list[Pick]:
    """At most `count` places in the order in which they gain most, ties to the lower one.

    `weights` say how much each thing counts among what is to be stood for; `known` are vectors chosen before; with
    `groups`, at most `most` places of each are picked.
    """
    size = len(vectors)
    alike = np.maximum(vectors @ vectors.T, 0.0)
    worth = np.ones(size, np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
    nearest = nearness(vectors, known)
    free, held = np.ones(size, dtype=bool), Counter[Hashable]()
    picks: list[Pick] = []
    while len(picks) < count and free.any():
        better = np.maximum(alike - nearest[None, :], 0.0)
        gains = better @ worth
        gains[~free] = -np.inf
        place = int(np.argmax(gains))
        stands_for = int(((better[place] > 0) & (alike[place] >= ALIKE)).sum())
        picks.append(Pick(place, float(gains[place]), stands_for))
        nearest = np.maximum(nearest, alike[place])
        free[place] = False
        if groups is not None:
            held[groups[place]] += 1
            if held[groups[place]] >= most:
                free &= np.array([group != groups[place] for group in groups])
    return picks


def nearness(vectors: Vectors, known: Vectors | None) -> Floats:
    """Per vector the similarity, 0 or more, to the nearest of `known`."""
    if known is None or not len(known):
        return np.zeros(len(vectors), np.float32)
    nearest: Floats = np.maximum((vectors @ known.T).max(axis=1), 0.0)
    return nearest


def coverage(vectors: Vectors, places: Sequence[int]) -> float:
    """The mean similarity, in [0, 1], of everything to the nearest of the chosen."""
    return float(nearness(vectors, vectors[list(places)]).mean()) if len(vectors) else 0.0
