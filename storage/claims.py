"""Streams: who may move one, where it stands, and what became of its records.

The claim is the guard of exactly-once: whoever takes a stream raises its epoch, and only the holder of the newest
epoch, at the position it thinks it is at, moves it on. A zombie's `advance` changes no row, so its transaction stops
before it has written anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from storage.dialects.sqlite import insert
from storage.records import Claim, Stream
from storage.store import WITHOUT_CLAIM
from storage.tables import stream as streams


@dataclass(frozen=True, slots=True)
class IntakeTotals:
    """What became of all records so far, over all streams and sources. `lost` never arrived (gone by retention)."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    refused: int = 0
    quarantined: int = 0
    lost: int = 0


def take(tx: Connection, stream: Stream, start: Callable[[], int] | int) -> Claim:
    """Claim a stream under a new epoch; every older claim is void from here on.

    `start` is the position for a stream never seen before. A callable is asked in the writer's thread, so it must be
    quick; where the answer takes a broker, look with `claim_of` first and pass a number.
    """
    known = claim_of(tx, stream)
    position = known.position if known else start() if callable(start) else start
    new = insert(streams).values(key=stream.key, label=stream.label, position=position, epoch=1)
    stands = func.coalesce(streams.c.position, new.excluded.position)  # null: counted before it was ever taken
    newer = {"epoch": streams.c.epoch + 1, "label": new.excluded.label, "position": stands}
    taken = tx.execute(
        new.on_conflict_do_update(index_elements=["key"], set_=newer).returning(streams.c.position, streams.c.epoch)
    ).one()
    return Claim(stream, taken.position, taken.epoch)


def claim_of(tx: Connection, stream: Stream) -> Claim | None:
    """Where the stream stands and under which epoch; None when nobody has taken it yet."""
    query = select(streams.c.position, streams.c.epoch).where(streams.c.key == stream.key)
    found = tx.execute(query.where(streams.c.position.is_not(None))).first()
    return Claim(stream, found.position, found.epoch) if found else None


def advance(tx: Connection, claim: Claim, before: int, after: int) -> bool:
    """Move the stream from `before` to `after` if the claim still holds: the first statement of a batch.

    False: somebody else has claimed or moved it. Drop its records, write nothing of them, look again where it stands.
    """
    move = update(streams).where(streams.c.key == claim.stream.key).values(position=after)
    if tx.get_execution_options().get(WITHOUT_CLAIM):
        tx.execute(move)
        return True
    held = move.where(streams.c.epoch == claim.epoch, streams.c.position == before)
    return tx.execute(held).rowcount == 1


def count(tx: Connection, where: Stream | str, **counters: int) -> None:
    """Add to the counters (fields of IntakeTotals) of a stream, or of a source by its name."""
    key, label = (where.key, where.label) if isinstance(where, Stream) else (f"source/{where}", where)
    new = insert(streams).values(key=key, label=label, epoch=0, **counters)
    added = {name: streams.c[name] + value for name, value in counters.items()}
    tx.execute(new.on_conflict_do_update(index_elements=["key"], set_=added))


def totals(tx: Connection) -> IntakeTotals:
    """The counters of all streams and sources together."""
    names = IntakeTotals.__slots__
    row = tx.execute(select(*(func.coalesce(func.sum(streams.c[name]), 0).label(name) for name in names))).one()
    return IntakeTotals(**{name: int(getattr(row, name)) for name in names})
