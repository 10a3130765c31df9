"""What has happened to updates since this daemon started, followed in the store: attempts that ended, adapters that
began to serve.

Why from the store and not from the scheduler: it is written down there anyway, in the transaction that made it so, and
the scheduler stays free of counting. It is looked at when Prometheus asks; what happened in between is caught up with.
What happened while no daemon ran, or before this one started, is in the store's own totals (`standing`) and not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from daemon.metrics import catalogue
from daemon.metrics.families import histogram
from daemon.metrics.feedback import OTHER
from learners.errors import LearnerError
from learners.job_files import read_result
from storage import decisions, registry, reservations, updates
from storage.records import Decision, Job, Update

OVERLAP = timedelta(minutes=5)  # a wall clock may be set back a little
MOST_RELEASES = 200  # read at one look, the newest
PHASE = re.compile(r"[a-z][a-z_]{0,31}")
JOBS = ("train", "evaluate")
PHASES = ("start", "load", "train", "other")


class UpdateMeasures:
    """`look` from one thread at a time."""

    def __init__(self, registry: CollectorRegistry, since: datetime) -> None:
        self._job_seconds = histogram(catalogue.updates.JOB_SECONDS, registry)
        self._phase_seconds = histogram(catalogue.updates.JOB_PHASE_SECONDS, registry)
        self._batch_size = histogram(catalogue.batches.BATCH_SIZE, registry)
        self._to_service = histogram(catalogue.adapters.FEEDBACK_TO_SERVICE, registry)
        self._since = since  # of the daemon
        self._from = since  # of the next look
        self._seen: dict[int, datetime] = {}  # jobs that ended within the overlap
        self._last_decision = 0
        self._served: set[tuple[str, str]] = set()
        self.crashed_attempts = 0

    def prepare(self, tasks: Iterable[str], targets: Iterable[str]) -> None:
        """Begin every series at 0, so that the first observation is seen to raise it."""
        for kind in JOBS:
            for outcome in ("done", "failed", "cancelled"):
                self._job_seconds.labels(kind, outcome)
            for phase in PHASES if kind == "train" else ("start", "other"):
                self._phase_seconds.labels(kind, phase)
        for task in (*tasks, OTHER):
            self._batch_size.labels(task)
            for target in targets:
                for since in ("first", "last"):
                    self._to_service.labels(task, target, since)

    def look(self, tx: Connection, job_root: Path, declared: frozenset[str]) -> None:
        """Count what has come since the last look."""
        for job in self._new_jobs(tx):
            self._observe_job(tx, job, job_root, declared)
        for release in self._new_releases(tx):
            self._observe_release(tx, release, declared)

    def _new_jobs(self, tx: Connection) -> list[Job]:
        new = [job for job in updates.ended_jobs(tx, self._from) if job.job_id not in self._seen]
        self._seen |= {job.job_id: job.changed_at for job in new}
        newest = max(self._seen.values(), default=self._from)
        self._from = max(self._from, newest - OVERLAP)
        self._seen = {number: at for number, at in self._seen.items() if at >= self._from}
        return new

    def _observe_job(self, tx: Connection, job: Job, job_root: Path, declared: frozenset[str]) -> None:
        seconds = max(0.0, (job.changed_at - job.created_at).total_seconds())
        self._job_seconds.labels(job.kind, job.state).observe(seconds)
        self.crashed_attempts += job.state == "failed"
        if job.state != "done":
            return
        for phase, part in _phases(job_root / job.directory, seconds).items():
            self._phase_seconds.labels(job.kind, phase).observe(part)
        update = updates.get_update(tx, job.update_id)
        if job.kind == "train" and update is not None:
            self._batch_size.labels(_named(update.task, declared)).observe(update.batch_size)

    def _new_releases(self, tx: Connection) -> list[Decision]:
        last = self._last_decision
        found = decisions.list_decisions(tx, kind="release", after_id=last, limit=MOST_RELEASES, newest=True)
        self._last_decision = max((number for number, _ in found), default=last)
        serving = [made for _, made in found if made.at >= self._since and made.detail.get("state") == "serving"]
        return serving[::-1]

    def _observe_release(self, tx: Connection, release: Decision, declared: frozenset[str]) -> None:
        """The first time that an adapter promoted in this daemon's life serves at a target, and no other time."""
        target, adapter = str(release.detail["target"]), registry.get_adapter(tx, release.subject or "")
        update = updates.get_update(tx, adapter.update_id) if adapter and adapter.update_id else None
        if update is None or not self._is_first(update, target):
            return
        span = reservations.feedback_span(tx, update.update_id)
        for since, received_at in zip(("first", "last"), span or (), strict=False):
            seconds = max(0.0, (release.at - received_at).total_seconds())
            self._to_service.labels(_named(update.task, declared), target, since).observe(seconds)

    def _is_first(self, update: Update, target: str) -> bool:
        served = (update.candidate or "", target)
        if update.state != "promoted" or update.changed_at < self._since or served in self._served:
            return False
        self._served.add(served)
        return True


def _phases(folder: Path, seconds: float) -> dict[str, float]:
    """Parts of the attempt that add up to it: what the worker timed, the rest of its work, and all before and after."""
    try:
        result = read_result(folder)
    except (LearnerError, OSError):
        return {}
    if result is None:
        return {}
    named = {name: part for name, part in result.seconds.items() if name != "total" and PHASE.fullmatch(name)}
    total = result.seconds.get("total", sum(named.values()))
    return {**named, "other": max(0.0, total - sum(named.values())), "start": max(0.0, seconds - total)}


def _named(task: str, declared: frozenset[str]) -> str:
    return task if task in declared else OTHER
