"""The registry: adapters by name, lines, and who is champion of each.

A published artifact is visible through its row here alone. Promotion is a compare-and-swap on the champion that the
candidate was judged against; if that one has been replaced meanwhile, the candidate is judged again. A line belongs
to one base; `<task>@v0` is the bare base of the first line, and the base of a later line takes the next number.

Reigns are never forgotten, and lie on one another: a promotion lays a reign on the one before, a roll-back takes the
topmost away, for good. Which of the two a reign was begun by is read from its reason (`ROLLED_BACK`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from storage.errors import UnknownAdapter
from storage.records import Adapter, Line, codec
from storage.tables import adapter, line, reign

ROLLED_BACK = "rolled back by hand to "  # how the reason of a roll-back begins; kept with the reigns of old stores


def ensure_line(tx: Connection, task: str, base_hash: str, now: datetime) -> Line:
    """The task's line on that base; made, with the bare base as its champion, when it is not there."""
    found = _line(tx, task, base_hash)
    if found:
        return found
    version = next_version(tx, task)
    base = Adapter(f"{task}@v{version}", task, version, base_hash, None, None, now, "champion")
    _insert(tx, base)
    tx.execute(line.insert().values(task=task, base_hash=base_hash, champion=base.name, since=now, created_at=now))
    _crown(tx, base, now, "the bare base")
    return Line(task, base_hash, base.name, now)


def line_of(tx: Connection, task: str) -> Line | None:
    """The task's newest line."""
    query = select(line.c.base_hash).where(line.c.task == task).order_by(line.c.created_at.desc()).limit(1)
    base_hash = tx.execute(query).scalar()
    return _line(tx, task, base_hash) if base_hash else None


def serving_lines(tx: Connection) -> list[Line]:
    """Of each task, the line whose champion answers: the newest that has one with files, else the newest.

    A new line begins with the bare base as its champion, and until it has made its own, the old one goes on.
    """
    lines: dict[str, Line] = {}
    made = set(tx.execute(select(adapter.c.name).where(adapter.c.directory.is_not(None))).scalars())
    for each in list_lines(tx):
        if each.champion in made or each.task not in lines or lines[each.task].champion not in made:
            lines[each.task] = each
    return list(lines.values())


def serving_line(tx: Connection, task: str) -> Line | None:
    """The same of one task; None where it has no line."""
    return next((each for each in serving_lines(tx) if each.task == task), None)


def list_lines(tx: Connection) -> list[Line]:
    """Every line of every task, oldest first."""
    rows = tx.execute(select(line).order_by(line.c.created_at, line.c.task))
    return [Line(row.task, row.base_hash, row.champion, row.since) for row in rows]


def _line(tx: Connection, task: str, base_hash: str) -> Line | None:
    row = tx.execute(select(line).where(line.c.task == task, line.c.base_hash == base_hash)).first()
    return Line(row.task, row.base_hash, row.champion, row.since) if row else None


def next_version(tx: Connection, task: str) -> int:
    """One above the highest version of the task; 0 for a new task. Numbers are never used again."""
    highest = tx.execute(select(func.max(adapter.c.version)).where(adapter.c.task == task)).scalar()
    return 0 if highest is None else int(highest) + 1


def add_candidate(tx: Connection, candidate: Adapter) -> None:
    """Register a published adapter to be judged. Its artifact must be on disk already."""
    _insert(tx, candidate)


def _insert(tx: Connection, new: Adapter) -> None:
    values = {column.name: getattr(new, column.name) for column in adapter.c}
    values |= {"files": codec.to_json(new.files).decode(), "manifest": codec.to_json(new.manifest).decode()}
    tx.execute(adapter.insert().values(values))


def promote(tx: Connection, task: str, candidate: str, judged_against: str, now: datetime) -> bool:
    """Make a candidate champion if `judged_against` still is; False: it is not, so judge again.

    Raises UnknownAdapter when there is no such candidate of that task.
    """
    found = _of_task(tx, task, candidate)
    if found.state != "candidate":
        raise UnknownAdapter(f"{candidate} is {found.state}, not a candidate")
    return _replace(tx, found, judged_against, now, f"promoted over {judged_against}")


def set_champion(tx: Connection, task: str, name: str, now: datetime, reason: str) -> Line:
    """Put any registered adapter into service by hand, or back into it, which `reason` says in the words of
    `ROLLED_BACK`. Raises UnknownAdapter."""
    found = _of_task(tx, task, name)
    present = _line(tx, task, found.base_hash)
    if present is None:
        raise UnknownAdapter(f"{task} has no line on the base of {name}")
    if present.champion == name:
        return present
    _replace(tx, found, present.champion, now, reason)
    return Line(task, found.base_hash, name, now)


def _replace(tx: Connection, new: Adapter, old: str, now: datetime, reason: str) -> bool:
    swap = update(line).where(line.c.task == new.task, line.c.base_hash == new.base_hash, line.c.champion == old)
    if tx.execute(swap.values(champion=new.name, since=now)).rowcount != 1:
        return False
    _set_state(tx, old, "retired")
    _set_state(tx, new.name, "champion")
    _crown(tx, new, now, reason)
    return True


def _crown(tx: Connection, new: Adapter, now: datetime, reason: str) -> None:
    values = {"task": new.task, "base_hash": new.base_hash, "adapter": new.name, "since": now, "reason": reason}
    tx.execute(reign.insert().values(values))


def previous_champion(tx: Connection, task: str) -> Adapter | None:
    """Where a roll-back of the newest line leads: who reigned before the champion, among those that were not rolled
    back themselves; None for the first of the line."""
    present = line_of(tx, task)
    if present is None:
        return None
    query = select(reign.c.adapter, reign.c.reason).where(reign.c.task == task)
    rows = tx.execute(query.where(reign.c.base_hash == present.base_hash).order_by(reign.c.id))
    standing = _standing([(row.adapter, row.reason) for row in rows])
    return get_adapter(tx, standing[-2]) if len(standing) > 1 else None


def _standing(reigns: Sequence[tuple[str, str]]) -> list[str]:
    """The adapters of the reigns that lie on one another, the present one last. A roll-back to one that did not lie
    below, as older versions made them, takes the place of the reign that it ended."""
    standing: list[str] = []
    for name, reason in reigns:
        if reason.startswith(ROLLED_BACK):
            standing = standing[:-1]
        if standing[-1:] != [name]:
            standing.append(name)
    return standing


def reigned(tx: Connection, task: str, base_hash: str) -> frozenset[str]:
    """Every adapter of that line that is or has been champion."""
    query = select(reign.c.adapter).where(reign.c.task == task, reign.c.base_hash == base_hash)
    return frozenset(tx.execute(query).scalars())


def reigned_versions(tx: Connection, task: str) -> tuple[int, ...]:
    """Of every adapter of the task that is or has been champion, on whichever base; the lowest first."""
    query = select(adapter.c.version).join(reign, reign.c.adapter == adapter.c.name).where(reign.c.task == task)
    return tuple(tx.execute(query.distinct().order_by(adapter.c.version)).scalars())


def reject(tx: Connection, name: str) -> None:
    """A candidate that lost. Raises UnknownAdapter for one that is not there, or is champion."""
    change = update(adapter).where(adapter.c.name == name, adapter.c.state != "champion")
    if tx.execute(change.values(state="rejected")).rowcount != 1:
        raise UnknownAdapter(f"{name} is not registered, or is the champion; put another into service first")


def get_adapter(tx: Connection, name: str) -> Adapter | None:
    """One adapter by its name, such as erd@v4."""
    row = tx.execute(select(adapter).where(adapter.c.name == name)).first()
    return _adapter(row) if row else None


def list_adapters(tx: Connection, task: str | None = None) -> list[Adapter]:
    """By task and version."""
    query = select(adapter).order_by(adapter.c.task, adapter.c.version)
    return [_adapter(row) for row in tx.execute(query if task is None else query.where(adapter.c.task == task))]


def _of_task(tx: Connection, task: str, name: str) -> Adapter:
    found = get_adapter(tx, name)
    if found is None or found.task != task:
        versions = ", ".join(each.name for each in list_adapters(tx, task)) or "none"
        raise UnknownAdapter(f"{task} has no adapter {name}; it has {versions}")
    return found


def _set_state(tx: Connection, name: str, state: str) -> None:
    tx.execute(update(adapter).where(adapter.c.name == name).values(state=state))


def _adapter(row: Row[Any]) -> Adapter:
    values = dict(row._mapping)
    files, manifest = codec.from_json(dict, values["files"]), codec.from_json(dict, values["manifest"])
    return Adapter(**(values | {"files": files, "manifest": manifest}))
