"""A sentence model by sentence-transformers, such as all-MiniLM-L6-v2. Nothing is ever downloaded here.

Limits: texts beyond the model's window (256 word pieces for MiniLM) are read as far as it goes. Vectors are rounded to
half precision, so that one that was cached and one made anew among other texts agree.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learners.base import find_sentence_model
from learners.errors import EmbeddingsMissing
from learners.ngrams import Vectors

BATCH = 32


class SentenceEncoder:
    """`name` is a folder, or a Hugging Face name that was downloaded before."""

    def __init__(self, name: str) -> None:
        folder = find_sentence_model(name)
        self.name = name
        self.identity = _identity(folder)
        self._model = _load(name, folder)

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimensions()), dtype=np.float32)
        found = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return rounded(found)

    def _dimensions(self) -> int:
        return int(self._model.get_embedding_dimension())


def rounded(vectors: Any) -> Vectors:
    """To half precision and length 1 again."""
    half = np.asarray(vectors, dtype=np.float16).astype(np.float32)
    whole: Vectors = half / np.linalg.norm(half, axis=1, keepdims=True).clip(min=1e-6)
    return whole


def _load(name: str, folder: Path) -> Any:
    try:
        library = importlib.import_module("sentence_transformers")
    except ImportError:
        raise EmbeddingsMissing(
            f"model.embeddings {name!r} needs sentence-transformers; install adaptd[train], or set model.embeddings to "
            "`ngrams` to do without"
        ) from None
    try:
        return library.SentenceTransformer(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise EmbeddingsMissing(
            f"the sentence model in {folder} cannot be loaded ({type(error).__name__}); download it again, or set "
            "model.embeddings to `ngrams` to do without"
        ) from None


def _identity(folder: Path) -> str:
    """Of names, sizes and times of the model's files: reading all weights for it would cost more than it guards."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    told = "\n".join(f"{path.relative_to(folder)} {(at := path.stat()).st_size} {at.st_mtime_ns}" for path in files)
    return hashlib.sha256(told.encode()).hexdigest()[:32]
