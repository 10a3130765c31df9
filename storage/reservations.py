"""Reservations: which examples an update has to itself, and what became of those that were in one.

A pool is reserved by revision. A partial unique index lets a revision be live or learned only once (promise I3), so
two updates cannot both win it, whatever the code above does. Fates are kept on the example as "the newest revision
that was ..."; a later revision (a late correction) is open again by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    case,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from storage.bulk import chunks
from storage.errors import StalePool, StorageError
from storage.records import Example, Origin, codec
from storage.tables import OPEN, TAKEN, event, example, reservation, updates

Outcome = Literal["promoted", "held", "superseded", "failed", "cancelled", "expired", "rejected"]

LIVE = reservation.c.state == "live"
FREE = ~exists().where(reservation.c.example_id == example.c.id, reservation.c.revision == example.c.revision, TAKEN)


@dataclass(frozen=True, slots=True)
class Released:
    """How many of a pool went where; `kept` are still reserved."""

    learned: int = 0
    returned: int = 0
    half_weight: int = 0  # of those returned: rejected once, and at half weight from now on
    set_aside: int = 0
    kept: int = 0


def signals_of_pool(tx: Connection, update_id: int) -> list[tuple[str, float]]:
    """(interaction_id, signal in [0, 1]) of the feedback that the examples of an update's pool held when it began."""
    begun = select(updates.c.created_at).where(updates.c.update_id == update_id).scalar_subquery()
    query = select(example.c.interaction_id, event.c.signal).join(event, event.c.example_id == example.c.id)
    query = query.join(reservation, reservation.c.example_id == example.c.id)
    told = (event.c.signal.is_not(None), event.c.received_at <= begun)
    rows = tx.execute(query.where(reservation.c.update_id == update_id, *told).order_by(event.c.id))
    return [(name, signal) for name, signal in rows]


def reserve(tx: Connection, update_id: int, pool: Sequence[Origin], now: datetime) -> None:
    """Reserve the pool for an update, all or nothing. Raises StalePool when one of them is not open any more."""
    task = _task_of(tx, update_id)
    ids = _ids(tx, task, pool, OPEN, FREE, example.c.fold == "train")
    if len(ids) != len(pool):
        raise StalePool(f"{len(pool) - len(ids)} of {len(pool)} examples are no longer open; decide again")
    rows = [
        {
            "update_id": update_id,
            "example_id": ids[origin],
            "revision": origin.revision,
            "state": "live",
            "used": False,
            "reserved_at": now,
        }
        for origin in pool
    ]
    try:
        with tx.begin_nested():
            tx.execute(reservation.insert(), rows)
    except IntegrityError:
        raise StalePool("an example is in another live pool, or learned already; decide again") from None


def _task_of(tx: Connection, update_id: int) -> str:
    task: str | None = tx.execute(select(updates.c.task).where(updates.c.update_id == update_id)).scalar()
    if task is None:
        raise StorageError(f"there is no update {update_id}")
    return task


def _ids(tx: Connection, task: str, origins: Collection[Origin], *only: ColumnElement[bool] | Any) -> dict[Origin, int]:
    """Row numbers of those origins that stand at their revision and meet the conditions."""
    wanted = set(origins)
    found: dict[Origin, int] = {}
    for some in chunks({origin.interaction_id for origin in wanted}):
        query = select(example.c.id, example.c.interaction_id, example.c.revision).where(example.c.task == task, *only)
        for number, name, revision in tx.execute(query.where(example.c.interaction_id.in_(some))):
            found[Origin(name, revision)] = number
    return {origin: number for origin, number in found.items() if origin in wanted}


def reserved_examples(tx: Connection, update_id: int) -> list[tuple[Origin, Example]]:
    """The live pool of an update: what was reserved, and the example as it stands now (perhaps of a later revision)."""
    query = select(example.c.interaction_id, reservation.c.revision, example.c.record)
    query = query.join(reservation, reservation.c.example_id == example.c.id)
    rows = tx.execute(query.where(reservation.c.update_id == update_id, LIVE).order_by(example.c.id))
    return [(Origin(name, revision), codec.from_json(Example, record)) for name, revision, record in rows]


def feedback_span(tx: Connection, update_id: int) -> tuple[datetime, datetime] | None:
    """When the first and the last signal that an update learned from were received; None when it learned nothing.

    Feedback that came after the update had begun is not of its batch.
    """
    begun = select(updates.c.created_at).where(updates.c.update_id == update_id).scalar_subquery()
    query = select(func.min(event.c.received_at), func.max(event.c.received_at))
    query = query.join(reservation, reservation.c.example_id == event.c.example_id)
    learned = (reservation.c.update_id == update_id, reservation.c.state == "learned")
    first, last = tx.execute(query.where(*learned, event.c.signal.is_not(None), event.c.received_at <= begun)).one()
    return None if first is None else (first, last)


def half_weighted(tx: Connection, task: str, origins: Collection[Origin]) -> frozenset[Origin]:
    """Those of the origins that were rejected once, and so count half."""
    return frozenset(_ids(tx, task, origins, example.c.half_weight_revision >= example.c.revision))


def release(tx: Connection, update_id: int, used: Collection[Origin], outcome: Outcome) -> Released:
    """Give a pool its fate, in the same transaction as the update's change of state.

    Unused ones always return. Used ones: `promoted` learned; `held` stay reserved; `rejected` return once at half
    weight and are set aside the second time; every other outcome returns them. A later call (a held update that is
    then promoted) finds those still live.
    """
    live = _live(tx, update_id)
    spent = [entry for entry in live if entry.origin in set(used)]
    unused = [entry for entry in live if entry.origin not in set(used)]
    _settle(tx, update_id, unused, "returned", used=False)
    if outcome == "held":
        _settle(tx, update_id, spent, "live", used=True)
        return Released(returned=len(unused), kept=len(spent))
    if outcome == "promoted":
        _settle(tx, update_id, spent, "learned", used=True)
        _raise_fate(tx, spent, "learned_revision")
        return Released(learned=len(spent), returned=len(unused))
    if outcome == "rejected":
        return _reject(tx, update_id, spent, len(unused), "in two rejected updates")
    _settle(tx, update_id, spent, "returned", used=True)
    return Released(returned=len(live))


def leave_out(tx: Connection, update_id: int, origins: Collection[Origin], reason: str) -> Released:
    """Examples of a live pool that the training left out as noise: they return once at half weight, and are set aside
    the second time. `reason`: no user text."""
    out = [entry for entry in _live(tx, update_id) if entry.origin in set(origins)]
    return _reject(tx, update_id, out, unused=0, reason=reason)


def set_aside(tx: Connection, update_id: int, reason: str, only: Collection[Origin] | None = None) -> int:
    """Withhold the whole live pool of an update that keeps breaking, or some of it; returns how many. `reason`: no
    user text."""
    live = [entry for entry in _live(tx, update_id) if only is None or entry.origin in set(only)]
    _put_aside(tx, update_id, live, reason)
    return len(live)


@dataclass(frozen=True, slots=True)
class _Live:
    example_id: int
    origin: Origin
    rejected_before: bool


def _live(tx: Connection, update_id: int) -> list[_Live]:
    columns = (example.c.id, example.c.interaction_id, reservation.c.revision, example.c.half_weight_revision)
    query = select(*columns).join(reservation, reservation.c.example_id == example.c.id)
    rows = tx.execute(query.where(reservation.c.update_id == update_id, LIVE))
    return [_Live(number, Origin(name, revision), halved >= revision) for number, name, revision, halved in rows]


def _reject(tx: Connection, update_id: int, spent: Sequence[_Live], unused: int, reason: str) -> Released:
    again = [entry for entry in spent if entry.rejected_before]
    once = [entry for entry in spent if not entry.rejected_before]
    _put_aside(tx, update_id, again, reason)
    _settle(tx, update_id, once, "returned", used=True)
    _raise_fate(tx, once, "half_weight_revision")
    return Released(returned=unused + len(once), half_weight=len(once), set_aside=len(again))


def _put_aside(tx: Connection, update_id: int, entries: Sequence[_Live], reason: str) -> None:
    _settle(tx, update_id, entries, "set_aside", used=True)
    _raise_fate(tx, entries, "set_aside_revision", set_aside_reason=reason)


def _settle(tx: Connection, update_id: int, entries: Sequence[_Live], state: str, *, used: bool) -> None:
    change = update(reservation).where(
        reservation.c.update_id == update_id, reservation.c.example_id == bindparam("of")
    )
    if entries:
        tx.execute(change.values(state=state, used=used), [{"of": entry.example_id} for entry in entries])


def _raise_fate(tx: Connection, entries: Sequence[_Live], column: str, **more: str) -> None:
    """Set a fate's revision, never lowering it."""
    reached: BindParameter[int] = bindparam("reached")
    higher = case((example.c[column] < reached, reached), else_=example.c[column])
    change = update(example).where(example.c.id == bindparam("of")).values({column: higher, **more})
    if entries:
        tx.execute(change, [{"of": entry.example_id, "reached": entry.origin.revision} for entry in entries])
