"""The encoder without a model: hashed words (`learners.ngrams`)."""

from __future__ import annotations

from collections.abc import Sequence

from learners.ngrams import DIMENSIONS, Vectors, ngram_vectors


class NgramEncoder:
    name = "hashed words"
    identity = f"ngrams-{DIMENSIONS}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        return ngram_vectors(texts)
