"""Which fold a prompt or user belongs to, once and for all, and the secret that draws it.

The drawing is a policy and lives with the learners; this keeps what was drawn and counts it as it comes, because a
gate is filled to a minimum first and counting all entries for every batch would not be affordable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from storage.bulk import insert_many
from storage.dialects.sqlite import among, as_list, insert
from storage.records import Fold, FoldCounts
from storage.tables import fold, fold_count, meta
from storage.times import microseconds


def fold_secret(tx: Connection) -> bytes:
    """32 random bytes, made when the store was; whoever does not know them cannot choose a fold."""
    secret: bytes = tx.execute(select(meta.c.value).where(meta.c.name == "fold_secret")).scalar_one()
    return secret


def folds_of(tx: Connection, task: str, keys: Iterable[str]) -> dict[str, Fold]:
    """The folds of those keys that were drawn before."""
    rows = tx.execute(_KNOWN, {"in_task": task, "names": as_list(keys)})
    return {row.key: row.fold for row in rows.all()}


_KNOWN = select(fold.c.key, fold.c.fold).where(fold.c.task == bindparam("in_task"), among(fold.c.key, "names"))


def fold_counts(tx: Connection, task: str) -> FoldCounts:
    """How many keys of the task are in each fold."""
    rows = tx.execute(select(fold_count.c.fold, fold_count.c.entries).where(fold_count.c.task == task))
    return FoldCounts(**{row.fold: row.entries for row in rows})


def save_folds(tx: Connection, drawn: Mapping[tuple[str, str], Fold], now: datetime) -> None:
    """Keep new draws, by (task, key). A key that was drawn before keeps its fold."""
    at = microseconds(now)
    rows = [(task, key, name, at) for (task, key), name in sorted(drawn.items())]
    kept = insert_many(tx, fold, ("task", "key", "fold", "drawn_at"), rows, returning=("task", "fold"))
    new = insert(fold_count)
    more = {"entries": fold_count.c.entries + new.excluded.entries}
    counted = [{"task": task, "fold": name, "entries": count} for (task, name), count in Counter(kept).items()]
    if counted:
        tx.execute(new.on_conflict_do_update(index_elements=["task", "fold"], set_=more), counted)
