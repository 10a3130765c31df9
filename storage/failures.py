"""The store of failures: what each example fails in, the kinds of failure of a task, and counts of them by adapter.

What a failure is, and when one counts as fixed, is a policy of the learners; this keeps and adds up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from storage.bulk import chunks
from storage.dialects.sqlite import insert
from storage.records import Diagnosis, Example, Failure, Tally, codec
from storage.tables import diagnosis, example, failure, failure_tally

Source = Literal["feedback", "gate"]
_ALL = ""  # stands among the kinds of a tally for all that were judged
SEARCHED = 10_000  # of the newest examples, for those that fail in one kind: no index has kinds


def list_failures(tx: Connection, task: str) -> list[Failure]:
    """Every kind that was ever seen, by name."""
    rows = tx.execute(select(failure).where(failure.c.task == task).order_by(failure.c.kind)).mappings()
    return [Failure(**(dict(row) | {"words": codec.from_json(tuple[int, ...], row["words"])})) for row in rows]


def save_failures(tx: Connection, kinds: Sequence[Failure]) -> None:
    """New kinds and changed ones, whole."""
    rows = [asdict(one) | {"words": codec.to_json(one.words).decode()} for one in kinds]
    new = insert(failure)
    changed = {c.name: new.excluded[c.name] for c in failure.c if not c.primary_key}
    if rows:
        tx.execute(new.on_conflict_do_update(index_elements=["task", "kind"], set_=changed), rows)


def diagnosed_at(tx: Connection, task: str, interactions: Collection[str]) -> dict[str, datetime]:
    """As of which feedback each of those examples was looked at; those that never were are left out."""
    return {name: at for name, at, _ in _diagnoses(tx, task, interactions)}


def kinds_of(tx: Connection, task: str, interactions: Collection[str]) -> dict[str, tuple[str, ...]]:
    """In which kinds each of those examples fails (none: it does not); those never looked at are left out."""
    rows = _diagnoses(tx, task, interactions)
    return {name: codec.from_json(tuple[str, ...], kinds) for name, _, kinds in rows}


def _diagnoses(tx: Connection, task: str, interactions: Collection[str]) -> list[tuple[str, datetime, str]]:
    query = select(example.c.interaction_id, diagnosis.c.last_signal_at, diagnosis.c.kinds)
    query = query.join(example, example.c.id == diagnosis.c.example_id).where(example.c.task == task)
    return [
        (row.interaction_id, row.last_signal_at, row.kinds)
        for some in chunks(interactions)
        for row in tx.execute(query.where(example.c.interaction_id.in_(some)))
    ]


def newest_failing(tx: Connection, task: str, kind: str, limit: int, searched: int = SEARCHED) -> list[Example]:
    """Those of the newest `searched` of the train fold that were found to fail in this kind, the newest first.

    Only the train fold is examined. What was withdrawn since is left out.
    """
    ids = tx.execute(_failing(task, kind, limit, searched)).scalars().all()
    rows = tx.execute(select(example.c.id, example.c.record).where(example.c.id.in_(ids))).all()
    records = {row.id: row.record for row in rows}
    return [codec.from_json(Example, records[each]) for each in ids]


def _failing(task: str, kind: str, limit: int, searched: int) -> Select[Any]:
    """Their numbers alone: read from the index of examples, and a diagnosis for each that is looked at."""
    c = example.c
    standing = (c.revision.is_not(None), c.joined.is_(True), c.withdrawn.is_(False))
    newest = select(c.id, c.effective_at).where(c.task == task, c.fold == "train", *standing)
    some = newest.order_by(c.effective_at.desc(), c.id.desc()).limit(searched).subquery()
    query = select(some.c.id).join(diagnosis, diagnosis.c.example_id == some.c.id)
    query = query.where(func.instr(diagnosis.c.kinds, codec.to_json(kind).decode()) > 0)  # quoted, so that it is whole
    return query.order_by(some.c.effective_at.desc(), some.c.id.desc()).limit(limit)


def save_diagnoses(tx: Connection, task: str, found: Sequence[Diagnosis]) -> None:
    """The newest look at each of those examples."""
    ids: dict[str, int] = {}
    for some in chunks([one.interaction_id for one in found]):
        query = select(example.c.interaction_id, example.c.id).where(example.c.task == task)
        ids |= {row.interaction_id: row.id for row in tx.execute(query.where(example.c.interaction_id.in_(some)))}
    rows = [
        {
            "example_id": ids[one.interaction_id],
            "last_signal_at": one.last_signal_at,
            "kinds": codec.to_json(one.kinds).decode(),
        }
        for one in found
        if one.interaction_id in ids
    ]
    new = insert(diagnosis)
    changed = {name: new.excluded[name] for name in ("last_signal_at", "kinds")}
    if rows:
        tx.execute(new.on_conflict_do_update(index_elements=["example_id"], set_=changed), rows)


def add_to_tally(tx: Connection, task: str, adapter: str, failed: Mapping[str, int], judged: int) -> None:
    """Feedback on `judged` more answers of an adapter, of which so many failed in each kind."""
    new = insert(failure_tally)
    more = {"number": failure_tally.c.number + new.excluded.number}
    tx.execute(
        new.on_conflict_do_update(index_elements=["task", "adapter", "source", "kind"], set_=more),
        _tally_rows(task, adapter, "feedback", failed, judged),
    )


def set_gate_tally(tx: Connection, task: str, adapter: str, failed: Mapping[str, int], judged: int) -> None:
    """What the gate saw of an adapter at its last judging, in place of what it saw before."""
    gate = (failure_tally.c.adapter == adapter, failure_tally.c.source == "gate")
    tx.execute(delete(failure_tally).where(failure_tally.c.task == task, *gate))
    tx.execute(failure_tally.insert(), _tally_rows(task, adapter, "gate", failed, judged))


def _tally_rows(
    task: str, adapter: str, source: Source, failed: Mapping[str, int], judged: int
) -> list[dict[str, str | int]]:
    numbers = {**failed, _ALL: judged}
    same = {"task": task, "adapter": adapter, "source": source}
    return [{**same, "kind": kind, "number": number} for kind, number in numbers.items()]


def tallies(tx: Connection, task: str) -> dict[str, dict[str, Tally]]:
    """By kind and adapter, feedback and gate together.

    The gate reads sub-checks alone, so what it judged counts for kinds that begin with `check:`.
    """
    numbers = _numbers(tx, failure_tally.c.task == task)
    return _added_up(numbers, {kind for _, _, kind in numbers if kind != _ALL})


def tallies_of(tx: Connection, task: str, adapter: str, kinds: Collection[str]) -> dict[str, Tally]:
    """Of one adapter, as `tallies`; a kind is left out where none of its answers was judged."""
    numbers = _numbers(tx, failure_tally.c.task == task, failure_tally.c.adapter == adapter)
    return {kind: found[adapter] for kind, found in _added_up(numbers, kinds).items() if adapter in found}


def _numbers(tx: Connection, *where: ColumnElement[bool]) -> dict[tuple[str, str, str], int]:
    """By adapter, source and kind."""
    query = select(failure_tally.c.adapter, failure_tally.c.source, failure_tally.c.kind, failure_tally.c.number)
    return {(adapter, source, kind): number for adapter, source, kind, number in tx.execute(query.where(*where))}


def _added_up(numbers: Mapping[tuple[str, str, str], int], kinds: Iterable[str]) -> dict[str, dict[str, Tally]]:
    judged = {(adapter, source): number for (adapter, source, kind), number in numbers.items() if kind == _ALL}
    found: dict[str, dict[str, Tally]] = {}
    for kind in sorted(kinds):
        mine = found.setdefault(kind, {})
        for (adapter, source), number in judged.items():
            if source == "feedback" or kind.startswith("check:"):
                tally = Tally(numbers.get((adapter, source, kind), 0), number)
                mine[adapter] = mine.get(adapter, Tally()) + tally
    return found
