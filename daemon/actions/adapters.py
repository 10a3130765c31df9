"""`adaptd adapters list|show|promote|rollback`: the succession of a task's adapters, and changing it by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.errors import Denied, NotFound
from learners.yardsticks import SCORED, comparable, known, main_scores
from storage import decisions, registry, reservations, updates
from storage.errors import ArtifactCorrupt, UnknownAdapter
from storage.records import Adapter, Decision, Origin


class AdapterView(BaseModel):
    """`score` is in [0, 1], by `metric` and measured by `yardstick` (null: not known).

    `comparable`: both are the newest of its task.
    """

    name: str
    task: str
    state: str
    parent: str | None
    update_id: int | None
    created_at: datetime
    score: float | None
    metric: str | None = None
    yardstick: str | None = None
    comparable: bool = True


_MEASURED = frozenset({"score", "metric", "yardstick", "comparable"})


class AdapterDetail(AdapterView):
    base_hash: str
    directory: str | None
    files: dict[str, str]
    manifest: dict[str, Any]


def list_adapters(context: Context, task: str | None = None) -> list[AdapterView]:
    """By task and version."""
    return context.store.read(lambda tx: [_view(tx, a) for a in registry.list_adapters(tx, task)])


def show_adapter(context: Context, name: str) -> AdapterDetail:
    """Raises NotFound when there is none of that name."""
    return context.store.read(lambda tx: _detail(tx, _known(tx, name)))


def promote_adapter(context: Context, name: str, actor: str = "operator") -> AdapterView:
    """Make an adapter the champion by hand; the gate is not asked. Its files are checked first (I4)."""
    adapter = context.store.read(lambda tx: _known(tx, name))
    if adapter.state == "champion":
        raise Denied(f"{name} is the champion already")
    return _enthrone(context, adapter, f"promoted by hand: {name}", actor, "promote")


def roll_back(context: Context, task: str, actor: str = "operator") -> AdapterView:
    """Bring back the champion before this one, whatever their versions; the one that reigns is thrown out: a later
    roll-back does not lead to it. Raises NotFound for an unknown task, Denied where there is none before."""
    previous = context.store.read(lambda tx: _previous(tx, task))
    return _enthrone(context, previous, f"{registry.ROLLED_BACK}{previous.name}", actor, "rollback")


def _previous(tx: Connection, task: str) -> Adapter:
    line = registry.line_of(tx, task)
    if line is None:
        raise NotFound(f"no task {task} has a line of adapters; `adaptd adapters list` shows those that do")
    previous = registry.previous_champion(tx, task)
    if previous is None:
        raise Denied(f"{line.champion} is the first of its line; there is nothing to go back to")
    return previous


def _enthrone(context: Context, adapter: Adapter, reason: str, actor: str, kind: str) -> AdapterView:
    """Checks the files first. Raises Denied where they, or the adapter's state, forbid it."""
    now = context.clock()

    def change(tx: Connection) -> AdapterView:
        registry.set_champion(tx, adapter.task, adapter.name, now, reason)
        _end_judging(tx, adapter, reason, now)
        decisions.record(
            tx, Decision(at=now, kind=kind, reason=reason, task=adapter.task, subject=adapter.name, actor=actor)
        )
        return _view(tx, _known(tx, adapter.name))

    try:
        if adapter.version:
            context.artifacts.verify(adapter)
        view = context.store.write(change)
    except (ArtifactCorrupt, UnknownAdapter) as error:
        raise Denied(str(error)) from None
    if context.live:
        context.live.release_soon()
    return view


def _end_judging(tx: Connection, adapter: Adapter, reason: str, now: datetime) -> None:
    """A candidate that was still to be judged has won: its update ends here, and what it was trained on is learned."""
    for update in updates.unfinished_updates(tx):
        if update.candidate == adapter.name and update.state in ("trained", "held"):
            used = [Origin(str(name), int(revision)) for name, revision in update.report.get("batch", [])]
            released = reservations.release(tx, update.update_id, used, "promoted")
            report = {**update.report, "released": released}
            updates.change_update(tx, update, "promoted", now, reason=reason, report=report)


def _known(tx: Connection, name: str) -> Adapter:
    adapter = registry.get_adapter(tx, name)
    if adapter is None:
        raise NotFound(f"there is no adapter {name}; `adaptd adapters list` shows those that are")
    return adapter


def _view(tx: Connection, adapter: Adapter) -> AdapterView:
    scores = known(updates.scores(tx, adapter.task))
    main = main_scores(scores)
    mine = {score.metric: score for score in scores if score.adapter == adapter.name}
    by = [main[0].metric, *SCORED] if main else []  # by another metric than the newest rather than by none
    measured = next((mine[metric] for metric in by if metric in mine), None)
    plain = {name: getattr(adapter, name) for name in AdapterView.model_fields if name not in _MEASURED}
    if measured is None:
        return AdapterView(**plain, score=None)
    like = measured in comparable(main)
    told = {"metric": measured.metric, "yardstick": measured.yardstick, "comparable": like}
    return AdapterView(**plain, score=measured.value, **told)


def _detail(tx: Connection, adapter: Adapter) -> AdapterDetail:
    more = {name: getattr(adapter, name) for name in ("base_hash", "directory", "files", "manifest")}
    return AdapterDetail(**_view(tx, adapter).model_dump(), **more)
