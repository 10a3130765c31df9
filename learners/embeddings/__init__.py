"""Texts as unit vectors by a sentence model, in worker processes alone.

contract.py   what an encoder is, and the one error
sentences.py  a sentence-transformers model, from a folder or one downloaded before
ngrams.py     hashed words instead of a model: for tests, and for who has none (`model.embeddings: ngrams`)
cache.py      vectors by hash of their text, bounded, safe to lose

torch loads when a sentence model is opened, not before. The daemon imports nothing from here.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from .cache import Cached, VectorCache
from .contract import Encoder
from .ngrams import NgramEncoder

__all__ = ["Encoder", "open_encoder"]

NGRAMS = "ngrams"


def open_encoder(name: str, cache: str | Path | None = None) -> Encoder:
    """The encoder that `model.embeddings` names, with a cache where a folder for it is given.

    Raises learners.errors.EmbeddingsMissing when it is not on this machine.
    """
    if name == NGRAMS:
        return NgramEncoder()  # as quick as any cache
    encoder: Encoder = importlib.import_module(f"{__name__}.sentences").SentenceEncoder(name)
    return encoder if cache is None else Cached(encoder, VectorCache(Path(cache)))
