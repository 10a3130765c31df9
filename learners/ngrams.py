"""Texts as unit vectors of hashed words and word pairs: no model, no torch, the same everywhere.

For the daemon, which loads no model, and wherever the sentence model is missing. Words and pairs of neighbours are
hashed into `DIMENSIONS` places with a sign (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning",
ICML 2009), counts dampened by a square root.

Limits: it knows words, not meaning: a paraphrase without a common word is as far as any other text. The first
`MOST_WORDS` words count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # one unit vector a row

DIMENSIONS = 1024
MOST_WORDS = 500
_WORD = re.compile(r"\w+|[^\w\s]")
_PAIRS_COUNT = 0.5


def ngram_vectors(texts: Sequence[str]) -> Vectors:
    """Shape (texts, DIMENSIONS), each row of length 1; a text without a word is a fixed direction of its own."""
    found: Vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for at, text in enumerate(texts):
        for gram, worth in _grams(text):
            hashed = crc32(gram.encode())
            found[at, hashed % DIMENSIONS] += worth if hashed & 0x80000000 else -worth
    lengths = np.linalg.norm(found, axis=1)
    found[lengths == 0, 0] = 1.0
    lengths[lengths == 0] = 1.0
    whole: Vectors = found / lengths[:, None]
    return whole


def _grams(text: str) -> Iterator[tuple[str, float]]:
    words = [match[0] for _, match in zip(range(MOST_WORDS), _WORD.finditer(text.lower()), strict=False)]
    for word, count in Counter(words).items():
        yield word, count**0.5
    for (first, second), count in Counter(pairwise(words)).items():
        yield f"{first} {second}", _PAIRS_COUNT * count**0.5
