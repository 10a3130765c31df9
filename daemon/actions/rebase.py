"""`adaptd tasks rebase TASK`: begin the task's line on a changed base now, from everything that was learned.

A changed `model.base` begins a new line by itself, with the next ripe batch. This does not wait for one: an update
trains on what was learned on the old line and is judged like any other. The old champion answers until then.
"""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.errors import Denied, NotFound
from learners.base import base_hash, find_base
from storage import buffer, decisions, registry, updates
from storage.records import Decision, Line, Update

MOST_LEARNED = 2000


class Rebase(BaseModel):
    """`serving` answers until the new line has a champion of its own; `learned` examples are there to learn from."""

    task: str
    base: str
    serving: str
    update_id: int
    learned: int


def rebase_task(context: Context, task: str, actor: str = "operator") -> Rebase:
    """Raises NotFound for a task that is not learned, Denied where there is nothing to rebase, or not now."""
    if context.config().task(task) is None:
        raise NotFound(f"adaptd.yaml names no task {task}; `adaptd tasks` shows those that it does")
    base = _base_of(context)
    found = context.store.write(lambda tx: _rebase(context, tx, task, base, actor))
    if context.live:
        context.live.release_soon()
    return found


def _base_of(context: Context) -> str:
    if context.live is None:
        return base_hash(find_base(context.config().model.base))
    base = context.live.base_hash()
    if base is None:
        raise Denied("the daemon that answers has no role that learns; ask the one that does (--url)")
    return base


def _rebase(context: Context, tx: Connection, task: str, base: str, actor: str) -> Rebase:
    now, serving = context.clock(), _old_line(tx, task, base)
    learned = len(buffer.learned_examples(tx, task, MOST_LEARNED))
    if not learned:
        raise Denied(f"nothing of {task} was learned yet; its line on the new base begins with its first batch")
    if unfinished := updates.running_update(tx, task) or updates.held_update(tx, task):
        raise Denied(_in_the_way(unfinished))
    line = registry.ensure_line(tx, task, base, now)
    reason = f"rebase by hand: from {serving.champion} to the base {base[:8]}, on {learned} learned examples"
    update = updates.create_update(tx, task, line.champion, reason, now)
    updates.change_update(tx, update, "queued", now, report={"batch": [], "rebase": serving.champion})
    subject = f"update {update.update_id}"
    decisions.record(tx, Decision(at=now, kind="rebase", reason=reason, task=task, subject=subject, actor=actor))
    return Rebase(task=task, base=base, serving=serving.champion, update_id=update.update_id, learned=learned)


def _old_line(tx: Connection, task: str, base: str) -> Line:
    """The line that serves. Raises Denied when it is on that base already."""
    serving = registry.serving_line(tx, task)
    if serving is None:
        raise Denied(f"{task} has no line of adapters yet; it begins with the first look at its batch")
    if serving.base_hash == base:
        raise Denied(
            f"{serving.champion} is on the base {base[:8]} already; to change it, set model.base and start adaptd again"
        )
    return serving


def _in_the_way(update: Update) -> str:
    number = update.update_id
    return f"update {number} is {update.state}; wait for it, or end it: adaptd updates cancel {number}"
