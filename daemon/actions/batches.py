"""`adaptd batches`: what each task's batch waits for now, and the batches that became updates."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from daemon.actions.context import Context
from daemon.actions.status import BatchStatus
from storage import decisions
from storage.records import Decision

KIND = "batch"


class BatchNow(BatchStatus):
    """What a task's next batch waits for, as the running daemon decided last."""

    task: str


class BatchBegun(BaseModel):
    """A batch that became an update, and why then. `most_of_one_user` counts examples, and names nobody."""

    at: datetime
    task: str
    update: str
    reason: str
    have: int
    need: int
    cap: int
    users: int
    size: int
    most_of_one_user: int


class Batches(BaseModel):
    """`now` is empty without a daemon: the decision is the daemon's."""

    now: list[BatchNow]
    begun: list[BatchBegun]


def list_batches(context: Context, task: str | None, limit: int) -> Batches:
    """Those begun newest first."""
    found = context.store.read(lambda tx: decisions.list_decisions(tx, task=task, kind=KIND, limit=limit, newest=True))
    names = [task] if task else list(context.config().tasks)
    return Batches(now=[now for name in names if (now := _now(context, name))], begun=[_begun(one) for _, one in found])


def _now(context: Context, task: str) -> BatchNow | None:
    decided = context.live.batch_of(task) if context.live else None
    if decided is None:
        return None
    return BatchNow(task=task, have=decided.have, need=decided.need, state=decided.state, reason=decided.reason)


def _begun(decision: Decision) -> BatchBegun:
    counted = {name: decision.detail[name] for name in ("have", "need", "cap", "users", "most_of_one_user")}
    return BatchBegun(
        at=decision.at,
        task=decision.task or "",
        update=decision.subject or "",
        reason=decision.reason,
        size=decision.detail["batch"],
        **counted,
    )
