"""SQLite: connections, pragmas, and which of its errors mean disk or lock rather than data.

The writer's connection begins every transaction IMMEDIATE (read-then-write under a deferred one raises
BUSY_SNAPSHOT), syncs at every commit, and alone runs checkpoints: a reader never commits, and SQLite checkpoints only
where a commit makes the log long. Readers are `query_only`. One file on a local disk; no `:memory:`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Connection, Engine, bindparam, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from storage.errors import StorageError

__all__ = [
    "VARIABLES",
    "among",
    "as_list",
    "checkpoint",
    "describe",
    "in_transaction",
    "insert",
    "is_outage",
    "path_of",
    "reader",
    "wal_reset_warning",
    "writer",
]

VARIABLES = 30_000  # bound values in one statement; 32,766 since 3.32, and RETURNING needs 3.35 anyway
BUSY_TIMEOUT_S = 5.0
WRITER_CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 4_000  # 16 MiB of log: a page that many commits touch is copied back once
LOG_BYTES = CHECKPOINT_PAGES * 4096
READERS = 4


def path_of(url: str) -> Path:
    """The file of a `sqlite:///` address, absolute. Raises StorageError for any other kind of address."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError("storage.url: not the address of a database; use sqlite:///adaptd.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise StorageError(f"storage.url: {parsed.get_backend_name()} is not in this version; use sqlite:///adaptd.db")
    if not parsed.database or parsed.database == ":memory:":
        raise StorageError("storage.url: names no file; use sqlite:///adaptd.db")
    return Path(parsed.database).resolve()


def writer(path: Path) -> Engine:
    """One connection, for one thread."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
        _set(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
        _set(connection, f"cache_size=-{WRITER_CACHE_KIB}", f"wal_autocheckpoint={CHECKPOINT_PAGES}")
        _set(connection, f"journal_size_limit={LOG_BYTES}")
        return connection

    return _engine(connect, "BEGIN IMMEDIATE", size=1)


def reader(path: Path) -> Engine:
    """A few connections that cannot write; each read is one snapshot."""

    def connect() -> sqlite3.Connection:
        address = f"{path.as_uri()}?mode=ro"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S
        )
        _set(connection, "query_only=ON", "temp_store=MEMORY")
        return connection

    return _engine(connect, "BEGIN", size=READERS)


def _set(connection: sqlite3.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _engine(connect: Any, begin: str, *, size: int) -> Engine:
    # hide_parameters: an error's text may be logged, and bound values are user text
    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=size, max_overflow=0, hide_parameters=True
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def among(column: ColumnElement[str] | ColumnElement[int], parameter: str) -> ColumnElement[bool]:
    """Whether the column is one of a list that is bound as one value, made by `as_list`.

    A bound value for each item costs more than looking the item up, and a statement of another length each time.
    """
    listed = func.json_each(bindparam(parameter)).table_valued("value")
    return column.in_(select(listed.c.value))


def text_in(record: ColumnElement[str], *path: str) -> ColumnElement[str | None]:
    """A text within a record that is kept as JSON, null where that has none there."""
    return func.json_extract(record, ".".join(["$", *path]))


def as_list(values: Iterable[str] | Iterable[int]) -> str:
    """Texts or whole numbers as `among` takes them."""
    return to_json(list(values)).decode()


def checkpoint(engine: Engine) -> None:
    """Copy the whole log into the file and empty it. Call from the writer's thread, outside a transaction."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        raw.close()


def is_outage(error: BaseException) -> bool:
    """Whether the error is the disk's, a lock's or the connection's: then no data is to blame, and trying again may do.

    FULL, IOERR, BUSY and their like are OperationalError, but so is a fault in the SQL (code ERROR); CORRUPT and NOTADB
    are DatabaseError itself.
    """
    if isinstance(error, DBAPIError):
        error = error.orig or error
    elif isinstance(error, SQLAlchemyError):
        return False
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    return type(error) is sqlite3.DatabaseError


def in_transaction(connection: Connection) -> bool:
    """Whether SQLite itself is still in one: a full disk ends it behind SQLAlchemy's back."""
    raw = connection.connection.driver_connection
    return bool(raw is not None and raw.in_transaction)


def wal_reset_warning(version: Sequence[int] = sqlite3.sqlite_version_info) -> str | None:
    """What to tell the operator where this SQLite can damage a log that two connections checkpoint; None where not.

    Fixed in 3.51.3, and in 3.50.7 and 3.44.6 of the older series (sqlite.org/wal.html, "the WAL-reset bug").
    """
    at = tuple(version[:3])
    fixed = at >= (3, 51, 3) or (3, 50, 7) <= at < (3, 51, 0) or (3, 44, 6) <= at < (3, 45, 0)
    if fixed or at < (3, 7, 0):
        return None
    return (
        f"SQLite {'.'.join(map(str, at))} has the WAL-reset fault; adaptd writes and checkpoints from one connection, "
        "which avoids it. Let no other program write to the store, and prefer SQLite 3.51.3 or newer."
    )


def describe(error: BaseException) -> str:
    """The database's own words for an outage; they name tables and files, never values.

    A full disk ends the transaction, and then undoing it fails too: the first of such a chain is the reason.
    """
    chain = [error]
    while chain[-1].__context__ is not None:
        chain.append(chain[-1].__context__)
    first = next((each for each in reversed(chain) if is_outage(each)), error)
    cause = first.orig if isinstance(first, DBAPIError) and first.orig else first
    return str(cause)
