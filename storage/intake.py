"""Events, dead letters and examples on their way in: one step each, inside the transaction that intake conducts.

Order within that transaction: `advance`, `lock_interactions` (sorted, so that two intakes never wait for each other
in a circle), `insert_events`, `events_of` and the join, `save_examples`, `insert_dead_letters`, `count`. Statements
carry many rows each; what a batch costs is rows, not round trips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, text, update

from storage.bulk import chunks, execute_many, insert_new
from storage.claims import IntakeTotals, advance, claim_of, count, take, totals
from storage.dead_letters import insert_dead_letters, list_dead_letters
from storage.dialects.sqlite import insert
from storage.errors import NotLocked
from storage.records import Event, Example, Fold, Retraction, Signal, codec
from storage.tables import event, example, retraction, stream
from storage.times import microseconds

__all__ = [
    "Inserted",
    "IntakeTotals",
    "Key",
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

Key = tuple[str, str]  # task, interaction_id
Place = tuple[str | None, int]  # Stream.key (None for HTTP) and position

_SIGNAL = (event.c.signal, event.c.signal_scorer, event.c.signal_edit, event.c.signal_bleu, event.c.signal_truncated)


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of a batch; the events are the caller's own objects. Together they are all that were given."""

    stored: list[Event]
    duplicates: int
    conflicts: list[Event]  # their id is stored with other content; the caller makes them dead letters


_LOCK = (
    insert(example)
    .values({name: bindparam(name) for name in ("task", "interaction_id", "rev")})
    .on_conflict_do_update(index_elements=["task", "interaction_id"], set_={"rev": text("example.rev + 1")})
)


def lock_interactions(tx: Connection, keys: Iterable[Key]) -> None:
    """Lock these interactions for this transaction, in sorted order, making those that are new."""
    rows = [{"task": task, "interaction_id": interaction, "rev": 1} for task, interaction in sorted(set(keys))]
    execute_many(tx, _LOCK, rows)


def insert_events(tx: Connection, events: Sequence[Event], places: Sequence[Place] | None = None) -> Inserted:
    """Store what is new. `places` says where each event came from; None: nowhere that has positions.

    An event whose position was stored before, or whose id was stored with the same content, is a duplicate; one whose
    id was stored with other content is a conflict. The same holds within the batch, where the first one stays.
    Raises NotLocked when an interaction was not locked first.
    """
    if not events:
        return Inserted([], 0, [])
    places = places or [(None, 0)] * len(events)
    rows = _rows(tx, events, places)
    first = {(row["task"], row["event_id"]): row for row in reversed(rows)}
    new = insert_new(tx, event, list(first.values())[::-1], ("task", "event_id", "id"))
    ids = {(task, event_id): number for task, event_id, number in new}
    stored: list[Event] = []
    rest: list[tuple[Event, dict[str, Any]]] = []
    for one, row in zip(events, rows, strict=True):
        key = (one.task, one.event_id)
        if key in ids and first[key] is row:
            stored.append(one)
        else:
            rest.append((one, row))
    _insert_retractions(tx, [(ids[one.task, one.event_id], one) for one in stored])
    conflicts = _conflicts(tx, rest)
    return Inserted(stored, len(rest) - len(conflicts), conflicts)


def _rows(tx: Connection, events: Sequence[Event], places: Sequence[Place]) -> list[dict[str, Any]]:
    examples = _example_ids(tx, {(one.task, one.interaction_id) for one in events})
    streams = _stream_ids(tx, {key for key, _ in places if key is not None})
    rows = []
    for one, (key, position) in zip(events, places, strict=True):
        if (one.task, one.interaction_id) not in examples or (key is not None and key not in streams):
            raise NotLocked("an event's interaction was not locked, or its stream not taken; do both first")
        rows.append(_row(one, examples[one.task, one.interaction_id], streams.get(key or ""), position))
    return rows


def _row(one: Event, example_id: int, stream_id: int | None, position: int) -> dict[str, Any]:
    return {
        "task": one.task,
        "event_id": one.event_id,
        "example_id": example_id,
        "kind": one.kind,
        "content_hash": one.content_hash,
        "user_id": one.user_id,
        "received_at": microseconds(one.received_at),
        "effective_at": microseconds(one.effective_at),
        "stream_id": stream_id,
        "position": None if stream_id is None else position,
        **_signal_columns(one.signal),
        "record": codec.to_json(one).decode(),
    }


def _signal_columns(signal: Signal | None) -> dict[str, Any]:
    return {
        "signal": signal.value if signal else None,
        "signal_scorer": signal.scorer if signal else None,
        "signal_edit": signal.edit if signal else None,
        "signal_bleu": signal.bleu if signal else None,
        "signal_truncated": signal.truncated if signal else None,
    }


def _example_ids(tx: Connection, keys: Iterable[Key]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    for task, names in _by_task(keys).items():
        for some in chunks(names):
            query = select(example.c.interaction_id, example.c.id)
            query = query.where(example.c.task == task, example.c.interaction_id.in_(some))
            found |= {(task, name): number for name, number in tx.execute(query)}
    return found


def _stream_ids(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    query = select(stream.c.key, stream.c.id)
    return {key: number for some in chunks(keys) for key, number in tx.execute(query.where(stream.c.key.in_(some)))}


def _insert_retractions(tx: Connection, stored: Sequence[tuple[int, Event]]) -> None:
    rows = [
        {
            "event_row": number,
            "task": one.task,
            "target_event_id": one.body.event_id,
            "target_interaction_id": one.body.interaction_id,
        }
        for number, one in stored
        if isinstance(one.body, Retraction)
    ]
    if rows:
        tx.execute(retraction.insert(), rows)


def _conflicts(tx: Connection, rest: Sequence[tuple[Event, dict[str, Any]]]) -> list[Event]:
    """Of those not stored, the ones whose id is stored with other content, at a position not stored before."""
    if not rest:
        return []
    hashes = _hashes(tx, [(one.task, one.event_id) for one, _ in rest])
    seen = _positions(tx, [row for _, row in rest if row["stream_id"] is not None])
    return [
        one
        for one, row in rest
        if (row["stream_id"], row["position"]) not in seen
        and hashes.get((one.task, one.event_id), one.content_hash) != one.content_hash
    ]


def _hashes(tx: Connection, ids: Iterable[Key]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for task, names in _by_task(ids).items():
        for some in chunks(names):
            query = select(event.c.event_id, event.c.content_hash)
            query = query.where(event.c.task == task, event.c.event_id.in_(some))
            found |= {(task, name): content for name, content in tx.execute(query)}
    return found


def _positions(tx: Connection, rows: Sequence[dict[str, Any]]) -> set[tuple[int, int]]:
    """Which of these rows' positions are stored, by whichever event."""
    wanted = defaultdict(set)
    for row in rows:
        wanted[row["stream_id"]].add(row["position"])
    query = select(event.c.stream_id, event.c.position)
    return {
        (number, position)
        for stream_id, positions in wanted.items()
        for some in chunks(positions)
        for number, position in tx.execute(query.where(event.c.stream_id == stream_id, event.c.position.in_(some)))
    }


def interactions_of_events(tx: Connection, task: str, event_ids: Iterable[str]) -> set[Key]:
    """The interactions that these events, where stored, belong to."""
    query = select(example.c.interaction_id).join(event, event.c.example_id == example.c.id)
    return {
        (task, name)
        for some in chunks(event_ids)
        for (name,) in tx.execute(query.where(event.c.task == task, event.c.event_id.in_(some)))
    }


def interactions_retracted_by(tx: Connection, events: Iterable[Event]) -> set[Key]:
    """The interactions that the retractions among these events reach, by event or by interaction."""
    targets: defaultdict[str, list[str]] = defaultdict(list)
    reached: set[Key] = set()
    for one in events:
        if isinstance(one.body, Retraction) and one.body.event_id:
            targets[one.task].append(one.body.event_id)
        elif isinstance(one.body, Retraction) and one.body.interaction_id:
            reached.add((one.task, one.body.interaction_id))
    for task, event_ids in targets.items():
        reached |= interactions_of_events(tx, task, event_ids)
    return reached


def events_of(tx: Connection, keys: Iterable[Key], stored: Iterable[Event] = ()) -> dict[Key, list[Event]]:
    """All events of each interaction, and every retraction that reaches it or one of them, whenever it came.

    An interaction without any event is left out. No order is promised; the join makes its own. Events given as
    `stored` (just now, by this transaction) are handed back rather than read from JSON again.
    """
    at_hand = {(one.task, one.event_id): one for one in stored}
    found: defaultdict[Key, dict[str, Event]] = defaultdict(dict)
    for task, names in _by_task(keys).items():
        for some in chunks(names):
            query = _event_query().where(example.c.task == task, example.c.interaction_id.in_(some))
            for row in tx.execute(query):
                interaction_id, event_id = row[:2]
                found[task, interaction_id][event_id] = at_hand.get((task, event_id)) or _event(row)
        _add_retractions(tx, task, found)
    return {key: list(events.values()) for key, events in found.items()}


def _event_query() -> Any:
    columns = (example.c.interaction_id, event.c.event_id, event.c.record, *_SIGNAL)
    return select(*columns).join_from(example, event, event.c.example_id == example.c.id)


def _event(row: Row[Any]) -> Event:
    read: Event = codec.from_json(Event, row.record)
    signal = None
    if row.signal is not None:
        signal = Signal(row.signal, row.signal_scorer, row.signal_edit, row.signal_bleu, row.signal_truncated)
    return read if read.signal == signal else replace(read, signal=signal)  # replace is slow, and seldom needed


def _add_retractions(tx: Connection, task: str, found: Mapping[Key, dict[str, Event]]) -> None:
    """Hardly any task has many retractions, and most have none: ask for that first."""
    if tx.execute(select(1).where(retraction.c.task == task).limit(1)).first() is None:
        return
    ours = {key: events for key, events in found.items() if key[0] == task}
    owners = {event_id: key for key, events in ours.items() for event_id in events}
    for column, targets in (
        (retraction.c.target_event_id, owners),
        (retraction.c.target_interaction_id, {name: (task, name) for _, name in ours}),
    ):
        query = (
            _event_query().join(retraction, retraction.c.event_row == event.c.id).add_columns(column.label("target"))
        )
        for some in chunks(targets):
            for row in tx.execute(query.where(retraction.c.task == task, column.in_(some))):
                ours[targets[row.target]][row.event_id] = _event(row)


_SIGN = (
    update(event)
    .where(event.c.task == bindparam("in_task"), event.c.event_id == bindparam("of"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _SIGNAL})
)


def save_signals(tx: Connection, task: str, signals: Mapping[str, Signal]) -> None:
    """Keep signals that became computable after their events were stored, by event_id."""
    rows = [
        {"in_task": task, "of": event_id} | {f"new_{name}": value for name, value in _signal_columns(signal).items()}
        for event_id, signal in signals.items()
    ]
    execute_many(tx, _SIGN, rows)


_JOINED = ("revision", "labelled", "joined", "withdrawn", "last_signal_at", "effective_at", "record")
_SAVE = (
    update(example)
    .where(example.c.task == bindparam("in_task"), example.c.interaction_id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _JOINED})
    .values(fold=func.coalesce(example.c.fold, bindparam("new_fold")))
)


def save_examples(tx: Connection, examples: Sequence[Example], folds: Mapping[Key, Fold]) -> None:
    """Keep what the join made. A fold is set once and never changes; one that is not in `folds` stays undrawn.

    Raises NotLocked when an interaction was not locked first.
    """
    rows = [_example_row(one, folds.get((one.task, one.interaction_id))) for one in examples]
    if execute_many(tx, _SAVE, rows) != len(rows):
        raise NotLocked("an example was saved whose interaction was not locked; call lock_interactions first")


def _example_row(one: Example, fold: Fold | None) -> dict[str, Any]:
    return {
        "in_task": one.task,
        "of": one.interaction_id,
        "new_fold": fold,
        "new_revision": one.revision,
        "new_labelled": one.labelled,
        "new_joined": one.joined,
        "new_withdrawn": one.withdrawn,
        "new_last_signal_at": microseconds(one.last_signal_at),
        "new_effective_at": microseconds(one.effective_at),
        "new_record": codec.to_json(one).decode(),
    }


def _by_task(keys: Iterable[Key]) -> dict[str, list[str]]:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for task, name in keys:
        grouped[task].append(name)
    return grouped
