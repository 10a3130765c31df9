"""Events on their way in: interactions locked, events inserted, each with one outcome.

Order within the transaction that intake conducts: `advance`, `lock_interactions` (sorted, so that two intakes never
wait for each other in a circle), `insert_events`, `events_of` and the join, `save_examples` (`storage.joins`),
`insert_dead_letters`, `count`. Statements carry many rows each; what a batch costs is rows, not round trips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from storage.bulk import chunks, insert_many, insert_new
from storage.claims import IntakeTotals, advance, claim_of, count, take, totals
from storage.dead_letters import insert_dead_letters, list_dead_letters
from storage.dialects.sqlite import among, as_list
from storage.errors import NotLocked
from storage.joins import (
    Key,
    by_task,
    events_of,
    interactions_of_events,
    interactions_retracted_by,
    save_examples,
    save_signals,
)
from storage.records import Event, Retraction, codec
from storage.tables import event, example, retraction, stream
from storage.times import microseconds

__all__ = [
    "Inserted",
    "IntakeTotals",
    "Key",
    "Locked",
    "Place",
    "advance",
    "claim_of",
    "count",
    "events_of",
    "insert_dead_letters",
    "insert_events",
    "interactions_of_events",
    "interactions_retracted_by",
    "list_dead_letters",
    "lock_interactions",
    "save_examples",
    "save_signals",
    "take",
    "totals",
]

Place = tuple[str | None, int]  # Stream.key (None for HTTP) and position


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of a batch; the events are the caller's own objects. Together they are all that were given."""

    stored: list[Event]
    duplicates: int
    conflicts: list[Event]  # their id is stored with other content; the caller makes them dead letters


@dataclass(frozen=True, slots=True)
class Locked:
    """The rows of the interactions that were locked; those that the lock made, of which nothing was known; and those
    whose fold is drawn, which no draw changes."""

    ids: Mapping[Key, int]
    new: frozenset[Key] = frozenset()
    drawn: frozenset[Key] = frozenset()


def lock_interactions(tx: Connection, keys: Iterable[Key]) -> Locked:
    """Lock these interactions for this transaction, in sorted order, making those that are new."""
    found = insert_many(
        tx,
        example,
        ("task", "interaction_id", "rev"),
        [(task, interaction_id, 1) for task, interaction_id in sorted(set(keys))],
        conflict="(task, interaction_id) DO UPDATE SET rev = rev + 1",
        returning=("task", "interaction_id", "id", "rev", "fold"),
    )
    ids: dict[Key, int] = {}
    new, drawn = [], []
    for task, interaction_id, number, rev, fold in found:
        ids[task, interaction_id] = number
        if rev == 1:
            new.append((task, interaction_id))
        elif fold is not None:
            drawn.append((task, interaction_id))
    return Locked(ids, frozenset(new), frozenset(drawn))


def insert_events(
    tx: Connection, locked: Locked, events: Sequence[Event], places: Sequence[Place] | None = None
) -> Inserted:
    """Store what is new. `places` says where each event came from; None: nowhere that has positions.

    An event whose position was stored before, or whose id was stored with the same content, is a duplicate; one whose
    id was stored with other content is a conflict. The same holds within the batch, where the first one stays.
    Raises NotLocked when an interaction is not among the `locked`.
    """
    if not events:
        return Inserted([], 0, [])
    seats = _seats(tx, places or [(None, 0)] * len(events))
    first: dict[Key, int] = {}
    for index, one in enumerate(events):
        first.setdefault((one.task, one.event_id), index)
    rows = [_row(events[index], locked, *seats[index]) for index in first.values()]
    newest = tx.execute(_NEWEST).scalar_one()
    if insert_new(tx, event, _ROW, rows) == len(events):  # nearly always
        stored, rest = list(events), []
    else:
        new = {(task, event_id) for task, event_id in tx.execute(_SINCE, {"newest": newest})}
        kept = {index for key, index in first.items() if key in new}
        stored = [events[index] for index in sorted(kept)]
        rest = [(one, seats[index]) for index, one in enumerate(events) if index not in kept]
    _insert_retractions(tx, [one for one in stored if isinstance(one.body, Retraction)])
    conflicts = _conflicts(tx, rest)
    return Inserted(stored, len(rest) - len(conflicts), conflicts)


_NEWEST = select(func.coalesce(func.max(event.c.id), 0))
_SINCE = select(event.c.task, event.c.event_id).where(event.c.id > bindparam("newest"))  # by us: nobody else writes now

_ROW = (
    *("task", "event_id", "example_id", "kind", "content_hash", "user_id", "received_at", "effective_at"),
    *("stream_id", "position", "signal", "signal_scorer", "signal_edit", "signal_bleu", "signal_truncated", "record"),
)
_NO_SIGNAL = (None, None, None, None, None)
_Seat = tuple[int | None, int | None]  # the row of a stream, and the position in it; both None where there is neither


def _row(one: Event, locked: Locked, stream_id: int | None, position: int | None) -> tuple[Any, ...]:
    """The values of `_ROW`."""
    example_id = locked.ids.get((one.task, one.interaction_id))
    if example_id is None:
        raise NotLocked("an event's interaction was not locked; call lock_interactions first")
    by = one.signal
    return (
        one.task,
        one.event_id,
        example_id,
        one.body.kind,
        one.content_hash,
        one.user_id,
        microseconds(one.received_at),
        microseconds(one.effective_at),
        stream_id,
        position,
        *(_NO_SIGNAL if by is None else (by.value, by.scorer, by.edit, by.bleu, by.truncated)),
        codec.to_json(one).decode(),
    )


def _seats(tx: Connection, places: Sequence[Place]) -> list[_Seat]:
    """Raises NotLocked for a stream that nobody has taken."""
    streams = _stream_ids(tx, {key for key, _ in places if key is not None})
    try:
        return [(None, None) if key is None else (streams[key], position) for key, position in places]
    except KeyError:
        raise NotLocked("an event came from a stream that was not taken; call take first") from None


def _stream_ids(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    query = select(stream.c.key, stream.c.id)
    return {key: number for some in chunks(keys) for key, number in tx.execute(query.where(stream.c.key.in_(some)))}


def _insert_retractions(tx: Connection, retractions: Sequence[Event]) -> None:
    for task, names in by_task((one.task, one.event_id) for one in retractions).items():
        found = tx.execute(_NUMBERS, {"in_task": task, "names": as_list(names)})
        numbers = {row.event_id: row.id for row in found}
        rows = [
            {
                "event_row": numbers[one.event_id],
                "task": task,
                "target_event_id": one.body.event_id,
                "target_interaction_id": one.body.interaction_id,
            }
            for one in retractions
            if one.task == task and isinstance(one.body, Retraction)
        ]
        tx.execute(retraction.insert(), rows)


_NUMBERS = select(event.c.event_id, event.c.id).where(
    event.c.task == bindparam("in_task"), among(event.c.event_id, "names")
)


def _conflicts(tx: Connection, rest: Sequence[tuple[Event, _Seat]]) -> list[Event]:
    """Of those not stored, the ones whose id is stored with other content, at a position not stored before."""
    if not rest:
        return []
    hashes = _hashes(tx, [(one.task, one.event_id) for one, _ in rest])
    seen = _positions(tx, [seat for _, seat in rest])
    return [
        one
        for one, seat in rest
        if seat not in seen and hashes.get((one.task, one.event_id), one.content_hash) != one.content_hash
    ]


_HASHES = select(event.c.event_id, event.c.content_hash).where(
    event.c.task == bindparam("in_task"), among(event.c.event_id, "names")
)


def _hashes(tx: Connection, ids: Iterable[Key]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for task, names in by_task(ids).items():
        rows = tx.execute(_HASHES, {"in_task": task, "names": as_list(names)})
        found |= {(task, name): content for name, content in rows}
    return found


_POSITIONS = select(event.c.stream_id, event.c.position).where(
    event.c.stream_id == bindparam("in_stream"), among(event.c.position, "positions")
)


def _positions(tx: Connection, seats: Iterable[_Seat]) -> set[_Seat]:
    """Which of these places are stored, by whichever event."""
    wanted: defaultdict[int, set[int]] = defaultdict(set)
    for stream_id, position in seats:
        if stream_id is not None and position is not None:
            wanted[stream_id].add(position)
    return {
        (number, position)
        for stream_id, positions in wanted.items()
        for number, position in tx.execute(_POSITIONS, {"in_stream": stream_id, "positions": as_list(positions)})
    }
