"""The BLEU part: sentence BLEU against one reference, exactly as nltk defines it, without importing nltk.

nltk's own function takes 5-10 times as long and its import half a second; the tests hold the two together to 1e-12.
The definition: `nltk.translate.bleu_score.sentence_bleu([reference], hypothesis, auto_reweigh=True,
smoothing_function=SmoothingFunction().method1)`, that is, Papineni et al. 2002 with n-grams up to 4, smoothed by
method 1 of Chen and Cherry 2014 (epsilon 0.1 for an order without a match), and for fewer than four words n-grams up
to that many, so that equal short texts are 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from math import exp, log

_ORDERS = 4
_EPSILON = 0.1


def bleu(hypothesis: Sequence[str], reference: Sequence[str]) -> float:
    """BLEU in [0, 1] of a hypothesis against one reference, both as words. 0 when they share no word."""
    length = len(hypothesis)
    orders = min(length, _ORDERS)
    total = 0.0
    for order, matches in enumerate(_matches(hypothesis, reference, orders), start=1):
        if order == 1 and not matches:
            return 0.0
        total += log((matches or _EPSILON) / (length - order + 1))
    return _brevity(length, len(reference)) * exp(total / orders) if orders else 0.0


def _brevity(length: int, reference_length: int) -> float:
    """Papineni's penalty for a hypothesis shorter than its reference."""
    return 1.0 if length > reference_length else exp(1 - reference_length / length)


def _matches(hypothesis: Sequence[str], reference: Sequence[str], orders: int) -> list[int]:
    """For each order, how many of the hypothesis's n-grams the reference has, each at most as often as there.

    Words become numbers, n-grams numbers of numbers, since hashing those is what the time goes into.
    """
    numbers = defaultdict[str, int](count().__next__)
    one = list(map(numbers.__getitem__, hypothesis))
    other = list(map(numbers.__getitem__, reference))
    base = len(numbers)
    found: list[int] = []
    grams, other_grams = one, other
    for order in range(orders):
        if order:
            grams = [left * base + right for left, right in zip(grams, one[order:], strict=False)]
            other_grams = [left * base + right for left, right in zip(other_grams, other[order:], strict=False)]
        found.append(_clipped(grams, other_grams))
        if not found[-1]:  # then no longer one matches either
            return found + [0] * (orders - len(found))
    return found


def _clipped(grams: list[int], allowed: list[int]) -> int:
    """How many of the grams are allowed; each one found uses up one of its own.

    Once for each that both have, and then what both say again, which beyond single words is hardly anything.
    """
    different = set(grams)
    found = len(different.intersection(allowed))
    if not found or len(different) == len(grams):
        return found
    return found + (Counter(_said_again(grams)) & Counter(_said_again(allowed))).total()


def _said_again(grams: list[int]) -> list[int]:
    """All but the first of each."""
    seen: set[int] = set()
    again = []
    for gram in grams:
        if gram in seen:
            again.append(gram)
        seen.add(gram)
    return again
