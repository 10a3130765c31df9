"""The buffer: which examples may be learned, which judge, what was said lately, and how many stand where.

Reads alone; what is reserved and what becomes of it is in `storage.reservations`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    case,
    func,
    select,
)

from storage.asked import UNASKED
from storage.bulk import chunks
from storage.dialects.sqlite import text_in
from storage.records import Example, Fold, codec
from storage.reservations import FREE, LIVE
from storage.tables import OPEN, event, example, reservation, updates


@dataclass(frozen=True, slots=True)
class BufferCounts:
    """How many examples of a task stand where; an example is in one of the first seven, except `reserved` (in open)."""

    open: int = 0  # could be learned: train fold, labelled, joined
    learned: int = 0
    set_aside: int = 0
    unlabelled: int = 0
    unjoined: int = 0
    withdrawn: int = 0
    held_out: int = 0  # labelled, in dev or gate
    reserved: int = 0
    gate: int = 0  # all in the gate fold, labelled or not
    gate_labelled: int = 0
    dev_labelled: int = 0


def open_examples(
    tx: Connection, task: str, *, fold: Fold = "train", settled_before: datetime, limit: int
) -> list[Example]:
    """What may enter a pool: not reserved, not learned in this revision, last signal not after `settled_before`;
    the newest first."""
    query = _newest(task, limit).where(OPEN, FREE, example.c.fold == fold)
    return _examples(tx, query.where(example.c.last_signal_at <= settled_before))


def learned_examples(tx: Connection, task: str, limit: int) -> list[Example]:
    """For replay: learned in their present revision, nothing retracted or set aside; the newest first."""
    query = _newest(task, limit).where(_STANDING, example.c.fold == "train", example.c.labelled.is_(True))
    learned = example.c.revision == example.c.learned_revision
    return _examples(tx, query.where(learned, example.c.set_aside_revision < example.c.revision))


def labelled_examples(tx: Connection, task: str, limit: int) -> list[Example]:
    """Of the train fold, with feedback, whatever became of them; the newest first."""
    query = _newest(task, limit).where(_STANDING, example.c.fold == "train", example.c.labelled.is_(True))
    return _examples(tx, query)


def gate_examples(tx: Connection, task: str, limit: int = 200) -> list[Example]:
    """Held out for the gate, unlabelled ones too; the newest first."""
    return _examples(tx, _newest(task, limit).where(_STANDING, example.c.fold == "gate"))


def newest_gate_prompts(tx: Connection, task: str, limit: int) -> list[str]:
    """Keys of the gate's different prompts, the one that was spoken of last first; read from one index."""
    c = example.c
    query = select(c.prompt_key).where(c.task == task, c.prompt_key.is_not(None), _STANDING).group_by(c.prompt_key)
    return list(tx.execute(query.order_by(func.max(c.effective_at).desc()).limit(limit)).scalars())


def gate_examples_of(tx: Connection, task: str, prompts: Collection[str], each: int) -> list[Example]:
    """Of each of these prompts (by key) the newest of the gate, at most `each`."""
    c = example.c
    newest = func.row_number().over(partition_by=c.prompt_key, order_by=(c.effective_at.desc(), c.id.desc()))
    turns = select(c.id, newest.label("turn")).where(c.task == task, _STANDING)
    found: list[Example] = []
    for some in chunks(prompts):
        turn = turns.where(c.prompt_key.in_(some)).subquery()
        found += _examples(tx, select(c.record).join(turn, turn.c.id == c.id).where(turn.c.turn <= each))
    return found


def dev_examples(tx: Connection, task: str, limit: int) -> list[Example]:
    """Labelled ones of the dev fold; the newest first."""
    query = _newest(task, limit).where(_STANDING, example.c.fold == "dev", example.c.labelled.is_(True))
    return _examples(tx, query)


_STANDING = and_(example.c.revision.is_not(None), example.c.joined.is_(True), example.c.withdrawn.is_(False))


def _newest(task: str, limit: int) -> Select[Any]:
    query = select(example.c.record).where(example.c.task == task)
    return query.order_by(example.c.effective_at.desc(), example.c.id.desc()).limit(limit)


def _examples(tx: Connection, query: Select[Any]) -> list[Example]:
    return [codec.from_json(Example, record) for (record,) in tx.execute(query)]


def arrivals(tx: Connection, task: str, since: datetime) -> int:
    """How many signals of the task were received at or after `since`."""
    return tx.execute(
        select(func.count()).where(event.c.task == task, event.c.received_at >= since, event.c.signal.is_not(None))
    ).scalar_one()


# A batch is received at one time: without their places in it, an index would put signals in order of their size.
_LAST_FIRST = (event.c.received_at.desc(), event.c.id.desc())


def answers_that_ended(
    tx: Connection, task: str, interactions: Collection[str], reasons: Collection[str]
) -> dict[str, str]:
    """The responses of those interactions that ended for one of these finish reasons, by interaction."""
    query = select(example.c.interaction_id, text_in(example.c.record, "response"))
    query = query.where(example.c.task == task, text_in(example.c.record, "finish_reason").in_(reasons))
    return {
        name: response
        for some in chunks(interactions)
        for name, response in tx.execute(query.where(example.c.interaction_id.in_(some)))
        if response
    }


def recent_signals(tx: Connection, task: str, limit: int) -> list[tuple[datetime, float]]:
    """(effective_at, signal in [0, 1]) of the signals received last, the newest first, but for those that were asked
    for: what is chosen for being hard says nothing of how good the answers are."""
    query = select(event.c.effective_at, event.c.signal).where(event.c.task == task, event.c.signal.is_not(None))
    query = query.where(UNASKED).order_by(*_LAST_FIRST).limit(limit)
    return [(at, value) for at, value in tx.execute(query)]


def received_signals(tx: Connection, task: str, limit: int) -> list[tuple[datetime, float]]:
    """(received_at, signal in [0, 1]) of the signals received last, the oldest of them first; those that were asked for
    left out."""
    query = select(event.c.received_at, event.c.signal).where(
        event.c.task == task, event.c.signal.is_not(None), UNASKED
    )
    return [(at, value) for at, value in tx.execute(query.order_by(*_LAST_FIRST).limit(limit))][::-1]


def buffer_counts(tx: Connection, task: str) -> BufferCounts:
    """Where the task's examples stand, counted over one index."""
    return BufferCounts(**_standing_counts(tx, task), reserved=_reserved_count(tx, task))


def _standing_counts(tx: Connection, task: str) -> dict[str, int]:
    c = example.c
    stands = and_(c.joined.is_(True), c.withdrawn.is_(False))
    trains = and_(stands, c.labelled.is_(True), func.coalesce(c.fold, "train") == "train")
    aside, learned = c.set_aside_revision >= c.revision, c.learned_revision >= c.revision
    kinds: dict[str, Any] = {
        "open": and_(trains, ~aside, ~learned, c.fold.is_not(None)),
        "learned": and_(trains, learned, ~aside),
        "set_aside": and_(trains, aside),
        "unlabelled": and_(stands, c.labelled.is_(False)),
        "unjoined": and_(c.joined.is_(False), c.withdrawn.is_(False)),
        "withdrawn": c.withdrawn.is_(True),
        "held_out": and_(stands, c.labelled.is_(True), c.fold.in_(("dev", "gate"))),
        "gate": and_(stands, c.fold == "gate"),
        "gate_labelled": and_(stands, c.fold == "gate", c.labelled.is_(True)),
        "dev_labelled": and_(stands, c.fold == "dev", c.labelled.is_(True)),
    }
    counts = [func.count(case((condition, 1))).label(name) for name, condition in kinds.items()]
    row = tx.execute(select(*counts).where(c.task == task, c.revision.is_not(None))).mappings().one()
    return dict(row)


def gate_prompts(tx: Connection, task: str, *, labelled: bool) -> int:
    """How many different prompts the gate fold holds, or of those only what has feedback; counted over one index."""
    c = example.c
    query = select(func.count(c.prompt_key.distinct())).where(c.task == task, c.prompt_key.is_not(None))
    query = query.where(c.joined.is_(True), c.withdrawn.is_(False), c.revision.is_not(None))
    return tx.execute(query.where(c.labelled.is_(True)) if labelled else query).scalar_one()


def _reserved_count(tx: Connection, task: str) -> int:
    query = select(func.count()).select_from(reservation).join(updates, updates.c.update_id == reservation.c.update_id)
    return tx.execute(query.where(updates.c.task == task, LIVE)).scalar_one()


def tasks(tx: Connection) -> list[str]:
    """Every task that an event has named, sorted."""
    return list(tx.execute(select(example.c.task).distinct().order_by(example.c.task)).scalars())
