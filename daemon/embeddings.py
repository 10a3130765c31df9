"""Which sentence model a worker uses, and where it keeps vectors: beside the artifacts, in `embeddings/`.

The folder is a cache: bounded, and safe to delete at any time. It holds no text, but vectors tell what texts were
about, so whoever erases what a user wrote deletes it too.
"""

from __future__ import annotations

from pathlib import Path

from daemon.config import Config
from learners.job import Embeddings

FOLDER = "embeddings"


def embeddings_of(config: Config) -> Embeddings:
    return Embeddings(model=config.model.embeddings, cache=str(Path(config.storage.artifacts) / FOLDER))
