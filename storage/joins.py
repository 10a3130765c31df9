"""From events to examples: all events of an interaction for the join, what retractions reach, and what came of it.

The join itself is a pure function of `consumers`; here its material is found and its outcome kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, literal_column, select, update

from storage.bulk import execute_many
from storage.dialects.sqlite import among, as_list
from storage.errors import NotLocked
from storage.records import Event, Example, Fold, Retraction, Signal, codec
from storage.records.prompts import prompt_key
from storage.tables import event, example, retraction
from storage.times import microseconds
from storage.votes import answer_key

Key = tuple[str, str]  # task, interaction_id

_SIGNAL = (event.c.signal, event.c.signal_scorer, event.c.signal_edit, event.c.signal_bleu, event.c.signal_truncated)


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
    for task, names in by_task(keys).items():
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
        | {"new_signal": by.value, "new_signal_scorer": by.scorer, "new_signal_edit": by.edit}
        | {"new_signal_bleu": by.bleu, "new_signal_truncated": by.truncated}
        for event_id, by in signals.items()
    ]
    execute_many(tx, _SIGN, rows)


_JOINED = ("revision", "labelled", "joined", "withdrawn", "last_signal_at", "effective_at", "record", "answer_key")
_FOLD = func.coalesce(example.c.fold, bindparam("new_fold"))
_SAVE = (
    update(example)
    .where(example.c.task == bindparam("in_task"), example.c.interaction_id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _JOINED})
    .values(fold=_FOLD, prompt_key=case((literal_column("'gate'") == _FOLD, bindparam("new_prompt_key"))))
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
        "new_prompt_key": prompt_key(one.messages) if one.messages else None,
    }


def by_task(keys: Iterable[Key]) -> dict[str, list[str]]:
    """The names of each task."""
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for task, name in keys:
        grouped[task].append(name)
    return grouped
