"""The edit part: python-Levenshtein's `ratio`, which is the normalised Indel similarity."""

from __future__ import annotations

from collections.abc import Sequence

import Levenshtein


def edit_ratio(one: Sequence[str], other: Sequence[str]) -> float:
    """1 - (insertions + deletions) / (len(one) + len(other)), in [0, 1]; 1 for two empty sequences. Symmetric.

    A replacement counts as a deletion and an insertion. Takes two strings (by character) or two lists of words.
    Source: Levenshtein.ratio, https://rapidfuzz.github.io/Levenshtein/. Quadratic in the lengths: bound them.
    """
    return Levenshtein.ratio(one, other)
