"""How everything stands at the moment of a scrape, from the status and the store: gauges, and totals of the store.

Made anew each time, so that a version, task or source that is gone is gone from the page too, and the page never
disagrees with `adaptd status`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.actions.status import ScoreStatus, Status, TaskStatus
from daemon.metrics import catalogue
from daemon.metrics.disk import DiskUse
from daemon.metrics.families import Families
from daemon.metrics.feedback import OTHER
from storage import tunings, updates
from storage.records import FAILURE_STATES, TERMINAL_UPDATE_STATES, Verdict

KEPT_VERSIONS = 10
ENGINE = "engine"
UNFINISHED = ("queued", "running", "trained")
VERDICTS: tuple[Verdict, ...] = ("promote", "hold", "reject")
LOSSES = {"first": "first_loss", "last": "last_loss", "dev": "dev_loss"}


def fill(
    families: Families, context: Context, status: Status, disk: DiskUse, crashed_attempts: int, tx: Connection
) -> None:
    """Set every sample of this scrape."""
    _daemon(families, context, status, crashed_attempts)
    _sources(families, status)
    _disk(families, disk)
    _tasks(families, context, status, tx)


def _daemon(families: Families, context: Context, status: Status, crashed_attempts: int) -> None:
    families.set(catalogue.running.READY, status.ready)
    families.set(catalogue.running.BUILD_INFO, 1, status.version)
    if status.started_at is not None:
        families.set(catalogue.running.STARTED, status.started_at.timestamp())
    families.set(catalogue.intake.STORE_QUEUED, context.store.queued_bytes)
    _config(families, status)
    restarts = dict(context.live.restarts()) if context.live else {}
    if "learn" in status.roles:
        restarts["executor"] = crashed_attempts
    for worker, times in restarts.items():
        families.set(catalogue.running.WORKER_RESTARTS, times, worker)
    for worker, state in status.services.items():
        families.set(catalogue.running.WORKER_UP, state.partition(":")[0] == "ready", worker)


def _config(families: Families, status: Status) -> None:
    state = status.config
    families.set(catalogue.running.RELOAD_OK, state.last_reload == "ok")
    families.set(catalogue.running.RELOADS, state.reloads_ok, "ok")
    families.set(catalogue.running.RELOADS, state.reloads_failed, "refused")
    families.set(catalogue.running.NEEDS_RESTART, len(state.needs_restart))
    if state.loaded_at is not None:
        families.set(catalogue.running.LOADED_AT, state.loaded_at.timestamp())


def _sources(families: Families, status: Status) -> None:
    for source in status.sources:
        families.set(catalogue.intake.SOURCE_UP, source.state != "degraded", source.name)
        families.set(catalogue.intake.SOURCE_LOST, source.lost_records, source.name)
        if source.lag is not None:
            families.set(catalogue.intake.SOURCE_LAG, source.lag, source.name)


def _disk(families: Families, disk: DiskUse) -> None:
    for kind, used in disk.used.items():
        families.set(catalogue.running.DISK_USED, used, kind)
    for kind, free in disk.free.items():
        families.set(catalogue.running.DISK_FREE, free, kind)


def _tasks(families: Families, context: Context, status: Status, tx: Connection) -> None:
    """Declared tasks one by one; of all the others only what can be added up."""
    declared = context.config().declared
    others = [name for name in status.tasks if name not in declared]
    for name, task in status.tasks.items():
        if name in declared:
            _totals(families, name, [task], updates.verdict_totals(tx, [name]))
            _batch(families, name, task)
            _adapters(families, name, task, engine=ENGINE in status.services)
            _trends(families, name, task)
            _last_trained(families, name, tx)
            _searches(families, name, tx)
    if others:
        _totals(families, OTHER, [status.tasks[name] for name in others], updates.verdict_totals(tx, others))


def _totals(families: Families, name: str, tasks: Sequence[TaskStatus], verdicts: Mapping[Verdict, int]) -> None:
    for outcome in sorted(TERMINAL_UPDATE_STATES):
        ended = sum(task.updates.totals.get(outcome, 0) for task in tasks)
        families.set(catalogue.updates.UPDATES_ENDED, ended, name, outcome)
    for state in UNFINISHED:
        at_work = sum(bool(task.updates.running and task.updates.running.state == state) for task in tasks)
        families.set(catalogue.updates.UPDATES_OPEN, at_work, name, state)
    families.set(catalogue.updates.UPDATES_OPEN, sum(task.updates.totals["held"] for task in tasks), name, "held")
    for verdict in VERDICTS:
        families.set(catalogue.updates.VERDICTS, verdicts.get(verdict, 0), name, verdict)
    if any(task.failures for task in tasks):
        for state in FAILURE_STATES:
            kinds = sum(one.state == state for task in tasks for one in task.failures)
            families.set(catalogue.batches.FAILURE_KINDS, kinds, name, state)
    for state in tasks[0].examples:
        families.set(catalogue.batches.EXAMPLES, sum(task.examples[state] for task in tasks), name, state)


def _batch(families: Families, name: str, task: TaskStatus) -> None:
    if task.batch is not None:
        families.set(catalogue.batches.BATCH_HAVE, task.batch.have, name)
        families.set(catalogue.batches.BATCH_NEED, task.batch.need, name)
        families.set(catalogue.batches.BATCH_RIPE, task.batch.state == "ripe", name)


def _adapters(families: Families, name: str, task: TaskStatus, *, engine: bool) -> None:
    champion = task.champion.adapter if task.champion else None
    if task.champion is not None:
        families.set(catalogue.adapters.CHAMPION_INFO, 1, name, task.champion.adapter)
        families.set(catalogue.adapters.CHAMPION_SINCE, task.champion.since.timestamp(), name)
        if engine:
            families.set(catalogue.adapters.CHAMPION_SERVING, task.champion.serving, name)
    for score in _newest([one for one in task.scores if one.comparable], champion):
        families.set(catalogue.adapters.ADAPTER_SCORE, score.value, name, score.adapter, score.metric)


def _trends(families: Families, name: str, task: TaskStatus) -> None:
    """What is not told apart from chance is no trend: a dashboard should not show it as one."""
    for metric, trend in (
        (catalogue.feedback.REWARD_TREND, task.trend.rewards),
        (catalogue.adapters.SCORE_TREND, task.trend.scores),
    ):
        if trend.p is not None:
            families.set(metric, trend.change if trend.direction in ("rising", "falling") else 0.0, name)


def _newest(scores: Sequence[ScoreStatus], champion: str | None) -> list[ScoreStatus]:
    """Of the champion and the newest versions; so the page does not grow with every update."""
    versions = {score.adapter: int(score.adapter.rpartition("@v")[2]) for score in scores}
    kept = {champion, *sorted(versions, key=lambda adapter: -versions[adapter])[:KEPT_VERSIONS]}
    return [score for score in scores if score.adapter in kept]


def _last_trained(families: Families, name: str, tx: Connection) -> None:
    """Of the last update that was trained, by method: losses of two methods cannot be compared."""
    reports = (update.report.get("training") for update in updates.list_updates(tx, name, limit=KEPT_VERSIONS))
    training: Mapping[str, Any] = next((report for report in reports if report), {})
    for phase in training.get("phases", ()):
        for point, key in LOSSES.items():
            if phase.get(key) is not None:
                families.set(catalogue.updates.UPDATE_LOSS, phase[key], name, phase["method"], point)
        for stage in phase.get("stages", ()):
            families.set(catalogue.updates.UPDATE_STAGE_ROWS, stage["rows"], name, phase["method"], stage["name"])
    for learner, report in training.get("learners", {}).items():
        for figure, value in report["numbers"].items():
            families.set(catalogue.updates.LEARNER_FIGURE, value, name, learner, figure)


def _searches(families: Families, name: str, tx: Connection) -> None:
    """How far the newest study is, and how often a search had its way."""
    study = next(iter(tunings.list_studies(tx, name, limit=1)), None)
    tuning = tunings.newest_tuning(tx, name)
    families.set(catalogue.updates.STUDY_TRIALS, study.wanted if study else 0, name, "wanted")
    families.set(catalogue.updates.STUDY_TRIALS, study.done if study else 0, name, "done")
    families.set(catalogue.updates.TUNINGS, tuning.version if tuning else 0, name)
