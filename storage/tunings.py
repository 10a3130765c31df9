"""Studies and tunings: what the tuner looks for, and what it has put in force.

A study is changed by compare-and-swap on its state, so that a cancel by hand is never written over. Tunings are only
ever added to: the newest of a task is the one in force, and none is forgotten.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from storage.errors import IllegalChange, StaleUpdate
from storage.records import Study, StudyState, Tuning, codec
from storage.tables import study, tuning

_CHANGEABLE = frozenset({"wanted", "done", "crashes", "best", "reason"})


def open_study(
    tx: Connection,
    task: str,
    method: str,
    base_hash: str,
    *,
    wanted: int,
    rows: int,
    knobs: list[dict[str, Any]],
    reason: str,
    now: datetime,
    yardstick: str | None = None,
) -> Study:
    """A new study. Raises StaleUpdate when the task has an open one."""
    if open_study_of(tx, task) is not None:
        raise StaleUpdate(f"{task} has an open study already; go on with that one")
    values = {
        "task": task,
        "method": method,
        "base_hash": base_hash,
        "state": "open",
        "wanted": wanted,
        "done": 0,
        "crashes": 0,
        "rows": rows,
        "knobs": codec.to_json(knobs).decode(),
        "best": "{}",
        "reason": reason,
        "created_at": now,
        "changed_at": now,
        "yardstick": yardstick,
    }
    return _study(tx.execute(study.insert().values(values).returning(study)).one())


def change_study(tx: Connection, current: Study, state: StudyState, now: datetime, **values: Any) -> Study:
    """Move a study on; returns it as it stands then. The same state again changes its fields only.

    `values`: wanted, done, crashes, best, reason. Raises StaleUpdate when it is not open any more.
    """
    if unknown := values.keys() - _CHANGEABLE:
        raise IllegalChange(f"{', '.join(sorted(unknown))} of a study cannot be changed")
    best = {"best": codec.to_json(values["best"]).decode()} if "best" in values else {}
    change = update(study).where(study.c.study_id == current.study_id, study.c.state == "open")
    if tx.execute(change.values(**(values | best), state=state, changed_at=now)).rowcount != 1:
        raise StaleUpdate(f"study {current.study_id} has come to its end; give it up")
    return replace(current, state=state, changed_at=now, **values)


def get_study(tx: Connection, study_id: int) -> Study | None:
    """One study by its number."""
    row = tx.execute(select(study).where(study.c.study_id == study_id)).first()
    return _study(row) if row else None


def open_study_of(tx: Connection, task: str) -> Study | None:
    """The study of the task that is still at work."""
    row = tx.execute(select(study).where(study.c.task == task, study.c.state == "open")).first()
    return _study(row) if row else None


def list_studies(tx: Connection, task: str, limit: int = 20) -> list[Study]:
    """The newest first."""
    query = select(study).where(study.c.task == task).order_by(study.c.study_id.desc()).limit(limit)
    return [_study(row) for row in tx.execute(query)]


def _study(row: Row[Any]) -> Study:
    values = dict(row._mapping)
    parsed = {"knobs": codec.from_json(list, values["knobs"]), "best": codec.from_json(dict, values["best"])}
    return Study(**(values | parsed))


def adopt(
    tx: Connection,
    task: str,
    method: str,
    base_hash: str,
    *,
    settings: dict[str, float],
    configured: dict[str, Any],
    reason: str,
    now: datetime,
    actor: str = "adaptd",
    study_id: int | None = None,
    evidence: dict[str, Any] | None = None,
) -> Tuning:
    """Put settings in force, as the next version of the task; empty ones put the configured back."""
    newest = tx.execute(select(func.max(tuning.c.version)).where(tuning.c.task == task)).scalar()
    made = Tuning(
        task=task,
        version=(newest or 0) + 1,
        method=method,
        base_hash=base_hash,
        settings=settings,
        configured=configured,
        since=now,
        reason=reason,
        actor=actor,
        study_id=study_id,
        evidence=evidence or {},
    )
    values = {column.name: getattr(made, column.name) for column in tuning.c}
    for name in ("settings", "configured", "evidence"):
        values[name] = codec.to_json(values[name]).decode()
    tx.execute(tuning.insert().values(values))
    return made


def newest_tuning(tx: Connection, task: str) -> Tuning | None:
    """The last that was put in force; whether it still holds is for `daemon.tuned` to say."""
    return next(iter(list_tunings(tx, task, limit=1)), None)


def list_tunings(tx: Connection, task: str, limit: int = 20) -> list[Tuning]:
    """The newest first."""
    query = select(tuning).where(tuning.c.task == task).order_by(tuning.c.version.desc()).limit(limit)
    return [_tuning(row) for row in tx.execute(query)]


def _tuning(row: Row[Any]) -> Tuning:
    values = dict(row._mapping)
    parsed = {name: codec.from_json(dict, values[name]) for name in ("settings", "configured", "evidence")}
    return Tuning(**(values | parsed))
