"""Answers as counts of words, for what compares them with each other: collapse, self-similarity. Pure.

Limits: words are runs of letters and digits, and single marks; text that is written without spaces is one word. The
first 2,000 words of an answer and the 2,000 most frequent words of all count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from .statistics import Floats

_WORD = re.compile(r"\w+|[^\w\s]")
_MAX_WORDS = 2000


def vocabulary(texts: Sequence[str]) -> dict[str, int]:
    """The most frequent words of the texts, each with its column."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_words(text))
    return {word: place for place, (word, _) in enumerate(counts.most_common(_MAX_WORDS))}


def count_words(texts: Sequence[str], words: dict[str, int]) -> Floats:
    """Shape (texts, words)."""
    counts = np.zeros((len(texts), len(words)))
    for place, text in enumerate(texts):
        for word, times in Counter(_words(text)).items():
            if word in words:
                counts[place, words[word]] = times
    return counts


def likeness(counts: Floats) -> Floats:
    """Cosine of the word counts of every two answers, shape (n, n), with 0 on the diagonal; empty answers are alike."""
    norms = np.linalg.norm(counts, axis=1, keepdims=True)
    unit = np.divide(counts, norms, out=np.zeros_like(counts), where=norms > 0)
    alike = np.asarray(unit @ unit.T + np.outer(norms == 0, norms == 0), dtype=np.float64)
    np.fill_diagonal(alike, 0.0)
    return alike


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())[:_MAX_WORDS]
