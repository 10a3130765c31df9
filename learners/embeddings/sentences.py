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

from learners.base import cached_snapshot
from learners.errors import EmbeddingsMissing
from learners.ngrams import Vectors

BATCH = 32


class SentenceEncoder:
    """`name` is a folder, or a Hugging Face name that was downloaded before."""

    def __init__(self, name: str) -> None:
        folder = find_model(name)
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


def find_model(name: str) -> Path:
    """The folder of a sentence model. Raises EmbeddingsMissing, which says what to do."""
    path = Path(name).expanduser()
    found = path if path.is_dir() else cached_snapshot(name)
    if found is None:
        raise EmbeddingsMissing(
            f"model.embeddings {name!r} is neither a folder nor a downloaded model; run `hf download {name}`, or set "
            "model.embeddings to the folder of a sentence model, or to `ngrams` to do without one"
        )
    if not (found / "modules.json").is_file():
        raise EmbeddingsMissing(
            f"model.embeddings: {found} has no modules.json, so it is no sentence-transformers model; name one that "
            "is, or `ngrams` to do without"
        )
    return found


def rounded(vectors: Any) -> Vectors:
    """To half precision and length 1 again."""
    half = np.asarray(vectors, dtype=np.float16).astype(np.float32)
    return half / np.linalg.norm(half, axis=1, keepdims=True).clip(min=1e-6)


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
