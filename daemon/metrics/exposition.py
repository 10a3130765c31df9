"""The page that Prometheus reads: what was counted as it happened, and how everything stands now, in one answer."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, disable_created_metrics, generate_latest

from daemon.actions.context import Context
from daemon.actions.status import status
from daemon.config import Config
from daemon.intake import Outcome, Parcel
from daemon.jobs import JOBS
from daemon.metrics.catalogue import METRICS, running
from daemon.metrics.disk import Disk
from daemon.metrics.families import Families, Together
from daemon.metrics.feedback import FeedbackMeasures
from daemon.metrics.standing import fill
from daemon.metrics.updates import UpdateMeasures
from storage.errors import StorageError

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """One registry a daemon, so that two in one process (tests) do not meet. Safe from any thread."""

    def __init__(self, started_at: datetime) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each counter and histogram that nobody asks for
        self._registry = CollectorRegistry()
        self._feedback = FeedbackMeasures(self._registry)
        self._updates = UpdateMeasures(self._registry, started_at)
        counted = {family.name for family in self._registry.collect()}
        self._standing = [metric for metric in METRICS if metric.full_name.removesuffix("_total") not in counted]
        self._disk = Disk()
        self._making = threading.Lock()

    def observe(self, parcel: Parcel, outcome: Outcome, config: Config) -> None:
        """Count one committed parcel."""
        self._feedback.observe(parcel, outcome, config)

    def refused(self, source: str) -> None:
        """Count one HTTP request turned away whole."""
        self._feedback.refused(source)

    def page(self, context: Context) -> bytes:
        """The exposition text. While the store cannot be read it says that, and what was counted."""
        with self._making:
            self._prepare(context.config())
            try:
                families = self._filled(context)
            except StorageError:
                families = Families(self._standing)
                families.set(running.READY, 0)
            return generate_latest(Together(self._registry, families))

    def _prepare(self, config: Config) -> None:
        tasks = sorted(config.declared)
        self._feedback.prepare([source.name for source in config.sources], tasks)
        self._updates.prepare(tasks, config.release.targets)

    def _filled(self, context: Context) -> Families:
        families, config, now = Families(self._standing), context.config(), status(context)
        artifacts = Path(config.storage.artifacts)
        context.store.read(lambda tx: self._updates.look(tx, artifacts / JOBS, config.declared))
        disk = self._disk.measure(context.store.path, artifacts)
        context.store.read(lambda tx: fill(families, context, now, disk, self._updates.crashed_attempts, tx))
        return families
