"""Dead letters: pointers to what could not be read, each with its reason, a position kept once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from storage.dialects.sqlite import insert
from storage.records import DeadLetter
from storage.tables import dead_letter


def insert_dead_letters(tx: Connection, letters: Sequence[DeadLetter]) -> int:
    """Keep pointers to what could not be read; returns how many were new (a position is kept once)."""
    names = [column.name for column in dead_letter.c if column.name != "id"]
    rows = [{name: getattr(letter, name) for name in names} for letter in letters]
    if not rows:
        return 0
    new = insert(dead_letter).on_conflict_do_nothing().returning(dead_letter.c.id)
    return len(tx.execute(new, rows).all())


def list_dead_letters(
    tx: Connection, task: str | None = None, *, limit: int = 100, before_id: int | None = None
) -> list[tuple[int, DeadLetter]]:
    """The newest first, with their numbers; `before_id` goes on from the last one seen."""
    query = select(dead_letter).order_by(dead_letter.c.id.desc()).limit(limit)
    query = query.where(dead_letter.c.task == task) if task is not None else query
    query = query.where(dead_letter.c.id < before_id) if before_id is not None else query
    found = (dict(row) for row in tx.execute(query).mappings())
    return [(row.pop("id"), DeadLetter(**row)) for row in found]
