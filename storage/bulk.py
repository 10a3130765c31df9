"""Many rows for the price of few statements.

Why: for one row, SQLAlchemy's care for each bound value costs more than what SQLite does with it. Here a statement is
compiled once and the rows go to the driver as they are, so types that need converting (times) must be converted by
the caller. Only intake, which handles thousands of rows a second, needs this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import ClauseElement, Connection, Dialect, Table

from storage.dialects.sqlite import VARIABLES

T = TypeVar("T")


def chunks(items: Iterable[T], size: int = VARIABLES - 10) -> Iterator[list[T]]:
    """The items in order, `size` at a time, so that one statement can bind them; ten are left for its other values."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


def execute_many(tx: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> int:
    """Run one statement (a constant of its module, since it is remembered) for each row; returns the rows changed."""
    if not rows:
        return 0
    sql, names = _compiled(statement, tx.dialect)
    pick = itemgetter(*names)
    return tx.exec_driver_sql(sql, [pick(row) for row in rows]).rowcount


@lru_cache(maxsize=32)
def _compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    compiled = statement.compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ())  # type: ignore[attr-defined]


def insert_new(tx: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows, each a tuple in the order of `names`; those that meet a unique key are left out. How many were not.

    The cheapest there is: one short statement, once a row, and nothing handed back.
    """
    sql = _insertion(table.name, tuple(names), 1, "DO NOTHING", ())
    return tx.exec_driver_sql(sql, list(rows)).rowcount if rows else 0


def insert_many(
    tx: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    conflict: str = "DO NOTHING",
    returning: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    """Insert rows, many to a statement, each a tuple in the order of `names`; yields `returning` of what was written.

    `conflict` is the words after ON CONFLICT; as it stands, rows that meet a unique key are left out.
    """
    for some in _in_few_sizes(rows):
        sql = _insertion(table.name, tuple(names), len(some), conflict, tuple(returning))
        yield from map(tuple, tx.exec_driver_sql(sql, tuple(chain.from_iterable(some))).all())


_SIZES = (256, 64, 16, 4, 1)  # a row of 20 values, 256 times, is well within VARIABLES


def _in_few_sizes(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows in pieces of those sizes alone: a statement of another length is parsed anew and kept, in MBs of memory."""
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


@lru_cache(maxsize=64)
def _insertion(table: str, names: Sequence[str], count: int, conflict: str, returning: Sequence[str]) -> str:
    row = f"({', '.join('?' * len(names))})"
    values = ", ".join([row] * count)
    into = ", ".join(f'"{name}"' for name in names)
    back = f" RETURNING {', '.join(returning)}" if returning else ""
    return f"INSERT INTO {table} ({into}) VALUES {values} ON CONFLICT {conflict}{back}"
