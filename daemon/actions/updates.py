"""`adaptd updates list|show|start|cancel`: what was trained, why, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from daemon.actions.context import Context
from daemon.batches import gather, weigh
from daemon.errors import Denied, NotFound
from storage import updates
from storage.records import Job, Look, Update


class UpdateView(BaseModel):
    update_id: int
    task: str
    state: str
    candidate: str | None
    champion: str
    pool_size: int
    batch_size: int
    attempts: int
    created_at: datetime
    changed_at: datetime
    reason: str


class JobView(BaseModel):
    job_id: int
    kind: str
    state: str
    attempt: int
    directory: str
    error: str | None


class LookView(BaseModel):
    number: int
    prompts: int
    verdict: str
    reason: str
    at: datetime


class Started(BaseModel):
    """An update that will begin at once, and with what."""

    task: str
    reason: str


class UpdateDetail(UpdateView):
    jobs: list[JobView]
    looks: list[LookView]
    report: dict[str, Any]


def list_updates(context: Context, task: str | None, limit: int) -> list[UpdateView]:
    """Newest first."""
    found = context.store.read(lambda tx: updates.list_updates(tx, task, limit=limit))
    return [UpdateView(**_plain(update)) for update in found]


def show_update(context: Context, update_id: int) -> UpdateDetail:
    """One update with its attempts and the looks at it. Raises NotFound when there is none of that number."""
    update = context.store.read(lambda tx: updates.get_update(tx, update_id))
    if update is None:
        raise NotFound(f"there is no update {update_id}; `adaptd updates list` shows those that are")
    jobs = context.store.read(lambda tx: updates.list_jobs(tx, update_id))
    looks = context.store.read(lambda tx: updates.looks(tx, update_id))
    return UpdateDetail(
        **_plain(update), jobs=[_job(j) for j in jobs], looks=[_look(k) for k in looks], report=update.report
    )


def start_update(context: Context, task: str) -> Started:
    """Ask for an update of what there is: the fewest that a batch may have are enough, caps and users hold.

    Raises NotFound for a task that is not learned, Denied where there is no daemon that learns, too little, or an
    update at work already.
    """
    config = context.config()
    in_force = config.task(task)
    if in_force is None:
        raise NotFound(f"no task {task} is learned; `adaptd tasks` shows those that are")
    if context.live is None or "learn" not in context.live.roles:
        raise Denied("only a running daemon with the role learn starts updates")
    running = context.store.read(lambda tx: updates.running_update(tx, task))
    if running is not None:
        raise Denied(f"update {running.update_id} of {task} is {running.state}; wait for it, or cancel it")
    now = context.clock()
    found = context.store.read(lambda tx: gather(tx, in_force, sorted(config.declared | {task}), now))
    decision = weigh(found, in_force, now, asked=True).decision
    if not decision.ripe:
        raise Denied(f"{task} has too little for an update: {decision.reason}")
    context.live.begin(task)
    return Started(task=task, reason=decision.reason)


def cancel_update(context: Context, update_id: int) -> UpdateView:
    """Ask for it; the scheduler ends the worker and returns the batch."""
    update = context.store.read(lambda tx: updates.get_update(tx, update_id))
    if update is None:
        raise NotFound(f"there is no update {update_id}; `adaptd updates list` shows those that are")
    if context.live is None or update.state not in ("queued", "running", "trained", "held"):
        raise Denied(
            f"update {update_id} is {update.state}; only a queued, running, trained or held one can be cancelled"
        )
    context.live.cancel(update_id)
    return UpdateView(**_plain(update))


def _plain(update: Update) -> dict[str, Any]:
    return {name: getattr(update, name) for name in UpdateView.model_fields}


def _job(job: Job) -> JobView:
    return JobView(**{name: getattr(job, name) for name in JobView.model_fields})


def _look(look: Look) -> LookView:
    return LookView(**{name: getattr(look, name) for name in LookView.model_fields})
