"""Whom `adaptd ask` chose: interactions nobody had judged, and that somebody was then asked to judge.

They were chosen for being hard or new, so what is said of them is not what people think of the answers at large. It is
learned like any feedback, and counted apart wherever a mean is drawn. Erasing an example deletes its row here first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, or_, select, update

from storage.bulk import chunks
from storage.dialects.sqlite import among, as_list
from storage.records import Example, codec
from storage.tables import asked, event, example

# Of events: not said of what people were asked about.
UNASKED = ~exists().where(asked.c.example_id == event.c.example_id)
_STANDING = (example.c.revision.is_not(None), example.c.joined.is_(True), example.c.withdrawn.is_(False))


def unlabelled_examples(tx: Connection, task: str, *, asked_before: datetime, limit: int) -> list[Example]:
    """Standing, without feedback, and not asked about since `asked_before`; the newest first. Of the train fold, or of
    none yet: whoever asks draws for those first."""
    query = _newest(task, limit).where(example.c.labelled.is_(False))
    query = query.where(or_(example.c.fold == "train", example.c.fold.is_(None)))
    recently = select(asked.c.example_id).where(asked.c.last_asked_at > asked_before)
    query = query.where(example.c.id.not_in(recently))
    return [codec.from_json(Example, record) for (record,) in tx.execute(query)]


def _newest(task: str, limit: int) -> Select[Any]:
    query = select(example.c.record).where(example.c.task == task, *_STANDING)
    return query.order_by(example.c.effective_at.desc(), example.c.id.desc()).limit(limit)


def mark_asked(tx: Connection, task: str, interaction_ids: Iterable[str], now: datetime) -> None:
    """What had no fold is of the train fold from now on; what is asked about again keeps its first time."""
    for some in chunks(interaction_ids):
        named = select(example.c.id).where(example.c.task == task, example.c.interaction_id.in_(some))
        numbers = set(tx.execute(named).scalars())
        tx.execute(update(example).where(example.c.id.in_(numbers), example.c.fold.is_(None)).values(fold="train"))
        again = which_asked(tx, numbers)
        tx.execute(update(asked).where(asked.c.example_id.in_(again)).values(last_asked_at=now))
        if new := numbers - again:
            rows = [{"example_id": number, "asked_at": now, "last_asked_at": now} for number in sorted(new)]
            tx.execute(asked.insert(), rows)


def asked_about(tx: Connection, task: str, interaction_ids: Collection[str]) -> frozenset[str]:
    """Those of the task's interactions that somebody was asked about."""
    query = select(example.c.interaction_id).join(asked, asked.c.example_id == example.c.id)
    query = query.where(example.c.task == task)
    return frozenset(
        name
        for some in chunks(interaction_ids)
        for name in tx.execute(query.where(example.c.interaction_id.in_(some))).scalars()
    )


_AMONG = select(asked.c.example_id).where(among(asked.c.example_id, "ids"))


def which_asked(tx: Connection, example_ids: Collection[int]) -> frozenset[int]:
    """Those of the examples, by row number, that were asked about."""
    if not example_ids:
        return frozenset()
    return frozenset(tx.execute(_AMONG, {"ids": as_list(example_ids)}).scalars())
