"""Events, dead letters and examples on their way in: one step each, inside the transaction that intake conducts.

Order within that transaction: `advance`, `lock_interactions` (sorted, so that two intakes never wait for each other
in a circle), `insert_events`, `events_of` and the join, `save_examples`, `insert_dead_letters`, `count`. Statements
carry many rows each; what a batch costs is rows, not round trips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from storage.bulk import chunks, execute_many, insert_many
from storage.claims import IntakeTotals, advance, claim_of, count, take, totals
from storage.dead_letters import insert_dead_letters, list_dead_letters
from storage.dialects.sqlite import among, as_list
from storage.errors import NotLocked
from storage.records import Event, Example, Fold, Retraction, Signal, codec
from storage.tables import event, example, retraction, stream
from storage.times import microseconds
from storage.votes import answer_key

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

Key = tuple[str, str]  # task, interaction_id
Place = tuple[str | None, int]  # Stream.key (None for HTTP) and position

_SIGNAL = (event.c.signal, event.c.signal_scorer, event.c.signal_edit, event.c.signal_bleu, event.c.signal_truncated)
_NO_SIGNAL = (None,) * len(_SIGNAL)


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of a batch; the events are the caller's own objects. Together they are all that were given."""

    stored: list[Event]
    duplicates: int
    conflicts: list[Event]  # their id is stored with other content; the caller makes them dead letters


@dataclass(frozen=True, slots=True)
class Locked:
    """The rows of the interactions that were locked, and those that the lock made: nothing was known of them."""

    ids: Mapping[Key, int]
    new: frozenset[Key]


def lock_interactions(tx: Connection, keys: Iterable[Key]) -> Locked:
    """Lock these interactions for this transaction, in sorted order, making those that are new."""
    rows = [(task, interaction, 1) for task, interaction in sorted(set(keys))]
    found = insert_many(
        tx,
        example,
        ("task", "interaction_id", "rev"),
        rows,
        conflict="(task, interaction_id) DO UPDATE SET rev = rev + 1",
        returning=("task", "interaction_id", "id", "rev"),
    )
    ids: dict[Key, int] = {}
    new = []
    for task, interaction_id, number, rev in found:
        ids[task, interaction_id] = number
        if rev == 1:
            new.append((task, interaction_id))
    return Locked(ids, frozenset(new))


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
    entries = _entries(tx, locked, events, places or [(None, 0)] * len(events))
    first: dict[Key, _Entry] = {}
    for entry in entries:
        first.setdefault(entry.key, entry)
    rows = [entry.row() for entry in first.values()]
    new = insert_many(tx, event, _ROW, rows, returning=("task", "event_id", "id"))
    ids = {(task, event_id): number for task, event_id, number in new}
    stored: list[Event] = []
    rest: list[_Entry] = []
    for entry in entries:
        if first[entry.key] is entry and entry.key in ids:
            stored.append(entry.event)
        else:
            rest.append(entry)
    _insert_retractions(tx, [(ids[one.task, one.event_id], one) for one in stored])
    conflicts = _conflicts(tx, rest)
    return Inserted(stored, len(rest) - len(conflicts), conflicts)


_ROW = (
    *("task", "event_id", "example_id", "kind", "content_hash", "user_id", "received_at", "effective_at"),
    *("stream_id", "position", "signal", "signal_scorer", "signal_edit", "signal_bleu", "signal_truncated", "record"),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """An event on its way into the table; `place` is its stream's row and its position, where it has them."""

    key: Key
    event: Event
    example_id: int
    place: tuple[int, int] | None

    def row(self) -> tuple[Any, ...]:
        """The values of `_ROW`."""
        one = self.event
        return (
            one.task,
            one.event_id,
            self.example_id,
            one.body.kind,
            one.content_hash,
            one.user_id,
            microseconds(one.received_at),
            microseconds(one.effective_at),
            *(self.place or (None, None)),
            *_signal_values(one.signal),
            codec.to_json(one).decode(),
        )


def _entries(tx: Connection, locked: Locked, events: Sequence[Event], places: Sequence[Place]) -> list[_Entry]:
    streams = _stream_ids(tx, {key for key, _ in places if key is not None})
    entries = []
    for one, (key, position) in zip(events, places, strict=True):
        example_id = locked.ids.get((one.task, one.interaction_id))
        if example_id is None or (key is not None and key not in streams):
            raise NotLocked("an event's interaction was not locked, or its stream not taken; do both first")
        place = None if key is None else (streams[key], position)
        entries.append(_Entry((one.task, one.event_id), one, example_id, place))
    return entries


def _signal_values(signal: Signal | None) -> tuple[Any, ...]:
    """The values of `_SIGNAL`."""
    if signal is None:
        return _NO_SIGNAL
    return signal.value, signal.scorer, signal.edit, signal.bleu, signal.truncated


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


def _conflicts(tx: Connection, rest: Sequence[_Entry]) -> list[Event]:
    """Of those not stored, the ones whose id is stored with other content, at a position not stored before."""
    if not rest:
        return []
    hashes = _hashes(tx, [entry.key for entry in rest])
    seen = _positions(tx, [entry.place for entry in rest if entry.place is not None])
    return [
        entry.event
        for entry in rest
        if entry.place not in seen and hashes.get(entry.key, entry.event.content_hash) != entry.event.content_hash
    ]


_HASHES = select(event.c.event_id, event.c.content_hash).where(
    event.c.task == bindparam("in_task"), among(event.c.event_id, "names")
)


def _hashes(tx: Connection, ids: Iterable[Key]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for task, names in _by_task(ids).items():
        rows = tx.execute(_HASHES, {"in_task": task, "names": as_list(names)})
        found |= {(task, name): content for name, content in rows}
    return found


_POSITIONS = select(event.c.stream_id, event.c.position).where(
    event.c.stream_id == bindparam("in_stream"), among(event.c.position, "positions")
)


def _positions(tx: Connection, places: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of these places are stored, by whichever event."""
    wanted = defaultdict(set)
    for stream_id, position in places:
        wanted[stream_id].add(position)
    return {
        (number, position)
        for stream_id, positions in wanted.items()
        for number, position in tx.execute(_POSITIONS, {"in_stream": stream_id, "positions": as_list(positions)})
    }


def interactions_of_events(tx: Connection, task: str, event_ids: Iterable[str]) -> set[Key]:
    """The interactions that these events, where stored, belong to."""
    return {(task, name) for (name,) in tx.execute(_OWNERS, {"in_task": task, "names": as_list(event_ids)})}


_OWNERS = (
    select(example.c.interaction_id)
    .join(event, event.c.example_id == example.c.id)
    .where(event.c.task == bindparam("in_task"), among(event.c.event_id, "names"))
)


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


def events_of(
    tx: Connection, keys: Collection[Key], stored: Iterable[Event] = (), new: Collection[Key] = frozenset()
) -> dict[Key, list[Event]]:
    """All events of each interaction, and every retraction that reaches it or one of them, whenever it came.

    An interaction without any event is left out. No order is promised; the join makes its own. Events given as
    `stored` (just now, by this transaction) are handed back rather than read from JSON again; interactions that are
    `new` (by `Locked`) have no others.
    """
    found: defaultdict[Key, dict[str, Event]] = defaultdict(dict)
    at_hand: dict[Key, Event] = {}
    for one in stored:
        at_hand[one.task, one.event_id] = one
        if (key := (one.task, one.interaction_id)) in new:
            found[key][one.event_id] = one
    for task, names in _by_task(keys).items():
        older = [name for name in names if (task, name) not in new]
        for row in tx.execute(_EVENTS, {"in_task": task, "names": as_list(older)}).all() if older else ():
            interaction_id, event_id = row[:2]
            found[task, interaction_id][event_id] = at_hand.get((task, event_id)) or _event(row)
        _add_retractions(tx, task, names, found)
    return {key: list(events.values()) for key, events in found.items()}


_EVENT = select(example.c.interaction_id, event.c.event_id, event.c.record, *_SIGNAL).join_from(
    example, event, event.c.example_id == example.c.id
)
_EVENTS = _EVENT.where(example.c.task == bindparam("in_task"), among(example.c.interaction_id, "names"))
_RETRACTIONS = _EVENT.join(retraction, retraction.c.event_row == event.c.id).where(
    retraction.c.task == bindparam("in_task")
)
_OF_EVENTS = _RETRACTIONS.add_columns(retraction.c.target_event_id).where(
    among(retraction.c.target_event_id, "targets")
)
_OF_INTERACTIONS = _RETRACTIONS.add_columns(retraction.c.target_interaction_id).where(
    among(retraction.c.target_interaction_id, "targets")
)


def _event(row: Any) -> Event:
    read: Event = codec.from_json(Event, row.record)
    signal = None
    if row.signal is not None:
        signal = Signal(row.signal, row.signal_scorer, row.signal_edit, row.signal_bleu, row.signal_truncated)
    return read if read.signal == signal else replace(read, signal=signal)  # replace is slow, and seldom needed


def _add_retractions(tx: Connection, task: str, names: Iterable[str], found: Mapping[Key, dict[str, Event]]) -> None:
    """Hardly any task has many retractions, and most have none: ask for that first."""
    if tx.execute(select(1).where(retraction.c.task == task).limit(1)).first() is None:
        return
    ours = {key: found[key] for name in names if (key := (task, name)) in found}
    owners = {event_id: events for events in ours.values() for event_id in events}
    named = {name: events for (_, name), events in ours.items()}
    for query, targets in ((_OF_EVENTS, owners), (_OF_INTERACTIONS, named)):
        for row in tx.execute(query, {"in_task": task, "targets": as_list(targets)}).all():
            targets[row[-1]][row.event_id] = _event(row)


_SIGN = (
    update(event)
    .where(event.c.task == bindparam("in_task"), event.c.event_id == bindparam("of"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _SIGNAL})
)


def save_signals(tx: Connection, task: str, signals: Mapping[str, Signal]) -> None:
    """Keep signals that became computable after their events were stored, by event_id."""
    rows = [
        {"in_task": task, "of": event_id}
        | {f"new_{column.name}": value for column, value in zip(_SIGNAL, _signal_values(signal), strict=True)}
        for event_id, signal in signals.items()
    ]
    execute_many(tx, _SIGN, rows)


_JOINED = ("revision", "labelled", "joined", "withdrawn", "last_signal_at", "effective_at", "record", "answer_key")
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
        "new_answer_key": answer_key(one),
    }


def _by_task(keys: Iterable[Key]) -> dict[str, list[str]]:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for task, name in keys:
        grouped[task].append(name)
    return grouped
