"""Updates and jobs: every change is a compare-and-swap on state and lease epoch (promise I5).

A daemon that starts raises the epoch of whatever is unfinished (`take_over`); a zombie that still holds the old
record then changes nothing, and is told by StaleUpdate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from storage.dialects.sqlite import insert
from storage.errors import IllegalChange, StaleUpdate, StorageError
from storage.records import (
    TERMINAL_UPDATE_STATES,
    UPDATE_STATES,
    Job,
    JobKind,
    JobState,
    Look,
    Score,
    Update,
    UpdateState,
    Verdict,
    codec,
)
from storage.tables import adapter, job, look, score, updates

_LEADS_TO: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "failed", "cancelled"}),
    "running": frozenset({"queued", "trained", "failed", "cancelled"}),
    "trained": frozenset({"held", "promoted", "rejected", "failed", "cancelled", "expired"}),
    "held": frozenset({"promoted", "rejected", "failed", "cancelled", "expired"}),
}
_JOB_LEADS_TO: dict[str, frozenset[str]] = {
    "queued": frozenset({"leased", "running", "failed", "cancelled"}),
    "leased": frozenset({"queued", "running", "done", "failed", "cancelled"}),
    "running": frozenset({"done", "failed", "cancelled"}),
}
_UNFINISHED = frozenset(UPDATE_STATES) - TERMINAL_UPDATE_STATES
_UNFINISHED_JOB = frozenset(_JOB_LEADS_TO)
_CHANGEABLE = frozenset({"attempts", "pool_size", "batch_size", "candidate", "reason", "report"})


def create_update(tx: Connection, task: str, champion: str, reason: str, now: datetime) -> Update:
    """A queued update against this champion; `reason` says why it was started."""
    values = {
        "task": task,
        "state": "queued",
        "lease_epoch": 1,
        "attempts": 0,
        "pool_size": 0,
        "batch_size": 0,
        "champion": champion,
        "reason": reason,
        "created_at": now,
        "changed_at": now,
        "report": "{}",
    }
    return _update(tx.execute(updates.insert().values(values).returning(updates)).one())


def change_update(tx: Connection, current: Update, to_state: UpdateState, now: datetime, **values: Any) -> Update:
    """Move an update on; returns it as it stands then. The same state again changes its fields only.

    `values`: attempts, pool_size, batch_size, candidate, reason, report. Raises StaleUpdate when it is not in the
    state, or not under the lease, that `current` says; IllegalChange when that state does not lead there.
    """
    if unknown := values.keys() - _CHANGEABLE:
        raise IllegalChange(f"{', '.join(sorted(unknown))} of an update cannot be changed")
    _check(current.state, to_state, _LEADS_TO, f"update {current.update_id}")
    report = {"report": codec.to_json(values["report"]).decode()} if "report" in values else {}
    guard = (updates.c.state == current.state, updates.c.lease_epoch == current.lease_epoch)
    change = update(updates).where(updates.c.update_id == current.update_id, *guard)
    changed = tx.execute(change.values(**(values | report), state=to_state, changed_at=now))
    if changed.rowcount != 1:
        raise StaleUpdate(f"update {current.update_id} has moved on, or another daemon leads it; give it up")
    return replace(current, state=to_state, changed_at=now, **values)


def _check(old: str, new: str, leads_to: dict[str, frozenset[str]], what: str) -> None:
    if old not in leads_to or new not in leads_to[old] | {old}:
        raise IllegalChange(f"{what} is {old} and cannot become {new}")


def get_update(tx: Connection, update_id: int) -> Update | None:
    """One update by its number."""
    return _first(tx, select(updates).where(updates.c.update_id == update_id))


def running_update(tx: Connection, task: str) -> Update | None:
    """The oldest that is queued, running or trained (not yet judged)."""
    return _first(tx, _in_states(task, _UNFINISHED - {"held"}))


def held_update(tx: Connection, task: str) -> Update | None:
    """The one whose candidate waits for more evidence."""
    return _first(tx, _in_states(task, {"held"}))


def _in_states(task: str, states: Collection[str]) -> Select[Any]:
    query = select(updates).where(updates.c.task == task, updates.c.state.in_(sorted(states)))
    return query.order_by(updates.c.update_id)


def _first(tx: Connection, query: Select[Any]) -> Update | None:
    row = tx.execute(query.limit(1)).first()
    return _update(row) if row else None


def list_updates(tx: Connection, task: str | None = None, limit: int = 100) -> list[Update]:
    """The newest first."""
    query = select(updates).order_by(updates.c.update_id.desc()).limit(limit)
    return [_update(row) for row in tx.execute(query if task is None else query.where(updates.c.task == task))]


def states_of_candidates(tx: Connection, task: str) -> dict[str, UpdateState]:
    """Of every update of the task that has a candidate, by the candidate's name."""
    query = select(updates.c.candidate, updates.c.state).where(updates.c.task == task, updates.c.candidate.is_not(None))
    return {row.candidate: row.state for row in tx.execute(query.order_by(updates.c.update_id))}


def unfinished_updates(tx: Connection) -> list[Update]:
    """All that may still come to something, of every task, oldest first."""
    query = select(updates).where(updates.c.state.in_(sorted(_UNFINISHED))).order_by(updates.c.update_id)
    return [_update(row) for row in tx.execute(query)]


def totals(tx: Connection, task: str) -> dict[UpdateState, int]:
    """How many updates of the task are in each state; every state has its number."""
    query = (
        select(updates.c.state, func.count().label("number")).where(updates.c.task == task).group_by(updates.c.state)
    )
    counted = {row.state: row.number for row in tx.execute(query.where(updates.c.task == task))}
    return {state: counted.get(state, 0) for state in UPDATE_STATES}


def _update(row: Row[Any]) -> Update:
    values = dict(row._mapping)
    return Update(**(values | {"report": codec.from_json(dict, values["report"])}))


def create_job(
    tx: Connection, update_id: int, kind: JobKind, attempt: int, lease_epoch: int, directory: str, now: datetime
) -> Job:
    """A queued attempt, under the lease of its update. `directory` is relative to the folder of jobs.

    Raises StorageError when the update has that attempt already.
    """
    values = {
        "update_id": update_id,
        "kind": kind,
        "state": "queued",
        "attempt": attempt,
        "lease_epoch": lease_epoch,
        "directory": directory,
        "created_at": now,
        "changed_at": now,
    }
    made = tx.execute(insert(job).values(values).on_conflict_do_nothing().returning(job)).first()
    if made is None:
        raise StorageError(f"update {update_id} has {kind} attempt {attempt} already")
    return Job(**made._mapping)


def change_job(tx: Connection, current: Job, to_state: JobState, now: datetime, error: str | None = None) -> Job:
    """Move a job on. Raises StaleUpdate when state or lease are not `current`'s any more, IllegalChange as above."""
    _check(current.state, to_state, _JOB_LEADS_TO, f"job {current.job_id}")
    guard = (job.c.state == current.state, job.c.lease_epoch == current.lease_epoch)
    change = update(job).where(job.c.job_id == current.job_id, *guard)
    if tx.execute(change.values(state=to_state, changed_at=now, error=error)).rowcount != 1:
        raise StaleUpdate(f"job {current.job_id} has moved on, or another daemon leads it; give it up")
    return replace(current, state=to_state, changed_at=now, error=error)


def list_jobs(tx: Connection, update_id: int) -> list[Job]:
    """All attempts of an update, in the order they were made."""
    query = select(job).where(job.c.update_id == update_id).order_by(job.c.job_id)
    return [Job(**row._mapping) for row in tx.execute(query)]


def unfinished_jobs(tx: Connection) -> list[Job]:
    """All attempts that have neither ended nor been given up, oldest first."""
    query = select(job).where(job.c.state.in_(sorted(_UNFINISHED_JOB))).order_by(job.c.job_id)
    return [Job(**row._mapping) for row in tx.execute(query)]


def ended_jobs(tx: Connection, since: datetime) -> list[Job]:
    """All attempts that ended at `since` or later, in the order they were made."""
    query = select(job).where(job.c.state.not_in(sorted(_UNFINISHED_JOB)), job.c.changed_at >= since)
    return [Job(**row._mapping) for row in tx.execute(query.order_by(job.c.job_id))]


def take_over(tx: Connection, now: datetime) -> tuple[list[Update], list[Job]]:
    """A new daemon leads from here: raises the lease of all that is unfinished, and returns it as it stands now."""
    for table, states in ((updates, _UNFINISHED), (job, _UNFINISHED_JOB)):
        change = update(table).where(table.c.state.in_(sorted(states)))
        tx.execute(change.values(lease_epoch=table.c.lease_epoch + 1, changed_at=now))
    return unfinished_updates(tx), unfinished_jobs(tx)


def save_look(tx: Connection, reading: Look) -> None:
    """Keep one reading of the evidence. Raises StaleUpdate when that look has been taken."""
    values = {each.name: getattr(reading, each.name) for each in fields(reading)}
    values["report"] = codec.to_json(reading.report).decode()
    if tx.execute(insert(look).values(values).on_conflict_do_nothing()).rowcount != 1:
        raise StaleUpdate(f"look {reading.number} of update {reading.update_id} has been taken; give it up")


def looks(tx: Connection, update_id: int) -> list[Look]:
    """All readings of one candidate, the first first."""
    rows = tx.execute(select(look).where(look.c.update_id == update_id).order_by(look.c.number)).mappings()
    return [Look(**(dict(row) | {"report": codec.from_json(dict, row["report"])})) for row in rows]


def last_looks(tx: Connection, task: str, limit: int) -> list[Look]:
    """The newest readings of the task's candidates, the newest first."""
    query = select(look).join(updates, updates.c.update_id == look.c.update_id).where(updates.c.task == task)
    rows = tx.execute(query.order_by(look.c.at.desc(), look.c.number.desc()).limit(limit)).mappings()
    return [Look(**(dict(row) | {"report": codec.from_json(dict, row["report"])})) for row in rows]


def verdict_totals(tx: Connection, tasks: Sequence[str]) -> dict[Verdict, int]:
    """How many looks at the candidates of these tasks ended in each verdict; one that none did is left out."""
    query = select(look.c.verdict, func.count().label("number")).join(updates, updates.c.update_id == look.c.update_id)
    of_tasks = query.where(updates.c.task.in_(tasks)).group_by(look.c.verdict)
    return {row.verdict: row.number for row in tx.execute(of_tasks)}


def save_scores(tx: Connection, found: Sequence[Score]) -> None:
    """Keep what adapters were worth, the newest by (adapter, metric). The adapters must be registered.

    A score by another yardstick takes the place of the one before: who reigns is measured anew at each judging, and an
    adapter's older score by a validator that nobody uses any more can be compared with nothing to come.
    """
    new = insert(score)
    newer = {name: new.excluded[name] for name in ("value", "count", "at", "yardstick")}
    if rows := [{each.name: getattr(one, each.name) for each in fields(one)} for one in found]:
        tx.execute(new.on_conflict_do_update(index_elements=["adapter", "metric"], set_=newer), rows)


def scores(tx: Connection, task: str) -> list[Score]:
    """By version, then metric."""
    query = select(score).join(adapter, adapter.c.name == score.c.adapter).where(adapter.c.task == task)
    return [Score(**row._mapping) for row in tx.execute(query.order_by(adapter.c.version, score.c.metric))]
