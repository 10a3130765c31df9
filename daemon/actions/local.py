"""A context without a daemon: the store opened from the config, to read, or to write where nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.actions.context import Context, utc_now
from daemon.config import Config
from storage.artifacts import Artifacts
from storage.store import Store


@contextmanager
def local_context(config: Config, *, writing: bool = False) -> Iterator[Context]:
    """Raises storage.errors.StorageError: no store there, or, for writing, a daemon that holds its lock."""
    store = Store.open(config.storage.url) if writing else Store.open_readonly(config.storage.url)
    try:
        yield Context(store, Artifacts(Path(config.storage.artifacts)), lambda: config, utc_now)
    finally:
        store.close()
