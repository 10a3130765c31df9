"""The store: opens, brings the schema up to date, and hands out transactions.

Writing goes through one thread (`storage.writer`); reading is short and sees one snapshot. A step is a function of
the open transaction; it must not commit, keep the connection, or do anything slow. The functions of this room
(`intake`, `buffer`, `updates`, ...) are such steps. Do not fork a process that holds a store; start workers by
`forkserver` or `spawn`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, select

from storage import migrations
from storage.dialects import sqlite
from storage.errors import StorageError, StoreMismatch, StoreUnavailable
from storage.lockfile import FileLock, lock_store
from storage.place import Place
from storage.tables import EVENT_GUARDS, meta
from storage.writer import Writer

T = TypeVar("T")

QUEUE_BYTES = 64 * 2**20
WITHOUT_CLAIM = "adaptd_without_claim"


class Store:
    """Open one with `Store.open` or `Store.open_readonly`; `close` it, or use it as a context manager.

    `warnings` holds what an operator should be told once, at start.
    """

    def __init__(
        self,
        path: Path,
        readers: Engine,
        writer: Writer | None,
        lock: FileLock | None,
        place: Place | None = None,
    ) -> None:
        self.path, self._place = path, place
        self._readers, self._writer, self._lock = readers, writer, lock
        self._pid = os.getpid()
        self.warnings = tuple(warning for warning in (sqlite.wal_reset_warning(),) if warning)

    @classmethod
    def open(cls, url: str, *, queue_bytes: int = QUEUE_BYTES, unsafe_without_claim: bool = False) -> Store:
        """For writing: takes the lock, migrates, and proves by a commit that the disk takes writes.

        `unsafe_without_claim` LOSES AND DOUBLES EVENTS. It drops the guards that make intake exactly-once (claim and
        unique keys), for good in that file, and exists only as the negative control of the kill tests, which must
        fail with it. Never pass it anywhere else.

        Raises StoreLocked, StoreMismatch, StoreUnavailable; StorageError for an address that it cannot use.
        """
        path = sqlite.path_of(url)
        lock = lock_store(path)
        try:
            engine = sqlite.writer(path)
            if unsafe_without_claim:
                engine = engine.execution_options(**{WITHOUT_CLAIM: True})
            _prepare(engine, path, unsafe_without_claim)
            place = _place(path)
            return cls(path, sqlite.reader(path), Writer(engine, queue_bytes, place.trouble), lock, place)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open_readonly(cls, url: str) -> Store:
        """Beside a daemon or without one; `write` is refused. Raises StoreUnavailable, StoreMismatch."""
        path = sqlite.path_of(url)
        if not path.is_file():
            raise StoreUnavailable(f"there is no store at {path}; start the daemon once, or correct storage.url")
        store = cls(path, sqlite.reader(path), None, None)
        try:
            store.read(migrations.check)
        except BaseException:
            store.close()
            raise
        return store

    def write(self, step: Callable[[Connection], T], *, size_bytes: int = 0, timeout_s: float | None = None) -> T:
        """Run the step in the writer's thread and return what it returned, after the commit.

        `size_bytes` is about what the step carries; while the queue is full, this blocks. Raises what the step
        raised (the step alone is undone); StoreUnavailable when nothing was made durable; StoreBusy when the step had
        not begun within `timeout_s`.
        """
        self._check_process()
        if self._writer is None:
            raise StorageError("the store is open for reading only; send the change through the running daemon")
        return self._writer.submit(step, size_bytes, timeout_s)

    def read(self, step: Callable[[Connection], T]) -> T:
        """Run the step over one snapshot, in the caller's thread. Raises what the step raised, or StoreUnavailable."""
        self._check_process()
        try:
            with self._readers.connect() as connection, connection.begin():
                return step(connection)
        except Exception as error:
            if sqlite.is_outage(error) and not isinstance(error, StorageError):
                raise StoreUnavailable(f"the store cannot be read: {sqlite.describe(error)}") from error
            raise

    @property
    def trouble(self) -> str:
        """Why the last write failed, or the next one would; empty when neither."""
        misplaced = self._place.trouble() if self._place else ""
        return misplaced or (self._writer.trouble if self._writer else "")

    @property
    def queued_bytes(self) -> int:
        """How much waits to be written, for metrics."""
        return self._writer.queued_bytes if self._writer else 0

    def close(self) -> None:
        """Finish what is queued and let the lock go; a second call does nothing, nor does one in a forked child."""
        if os.getpid() != self._pid:
            return
        self._readers.dispose()  # first: the last connection to close checkpoints, and that is the writer's right
        if self._writer:
            self._writer.close()
        if self._lock:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise StorageError("a forked process used its parent's store; open one of its own")


def probe(tx: Connection) -> None:
    """Write something small: after the commit, the store is known to be writable."""
    tx.execute(sqlite.insert(meta).values(name="probe", value=b"1").prefix_with("OR REPLACE"))


def _place(path: Path) -> Place:
    try:
        return Place(path)
    except OSError as error:
        raise StoreUnavailable(f"the store {path} was removed while it was opened: {error.strerror}") from error


def _prepare(engine: Engine, path: Path, unsafe: bool) -> None:
    try:
        with engine.begin() as tx:
            migrations.upgrade(tx)
            probe(tx)
            if tx.execute(select(meta.c.name).where(meta.c.name == "fold_secret")).first() is None:
                tx.execute(meta.insert().values(name="fold_secret", value=secrets.token_bytes(32)))
            for guard in EVENT_GUARDS if unsafe else ():
                guard.drop(tx, checkfirst=True)
    except (StoreMismatch, StoreUnavailable):
        engine.dispose()
        raise
    except Exception as error:
        engine.dispose()
        if sqlite.is_outage(error):
            raise StoreUnavailable(f"cannot open the store {path}: {sqlite.describe(error)}") from error
        raise
