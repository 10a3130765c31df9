"""Every metric of this version, each with its reason in its help text, and the page that Prometheus reads.

Counts of events come from intake as it commits; the rest is read from the status at scrape time, so that one answer
never disagrees with the other. Tasks that the config does not declare are counted as `other` and have no gauges.
"""

from __future__ import annotations

import threading

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from daemon.actions.status import Status
from daemon.intake import Outcome, Parcel

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"


class Metrics:
    """One registry a daemon, so that two in one process (tests) do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._filling = threading.Lock()
        self._events = self._counter(
            "events", "Events by what became of them: is intake keeping what arrives?", "source", "outcome"
        )
        self._kinds = self._counter(
            "events_stored", "Stored events by task and kind: what is there to learn from?", "task", "kind"
        )
        self._ready = self._gauge("ready", "1 while every role can do its work.")
        self._lag = self._gauge("source_lag", "Records that wait in the source: is intake fast enough?", "source")
        self._lost = self._gauge("source_lost_records", "Records gone from the source before they were read.", "source")
        self._have = self._gauge("batch_have", "Examples that count towards the next update.", "task")
        self._need = self._gauge("batch_need", "Examples that the next update needs.", "task")
        self._updates = self._gauge("updates", "Updates by how they ended.", "task", "state")
        self._score = self._gauge(
            "adapter_score", "Score of an adapter at its last judging, 0 to 1.", "task", "adapter", "metric"
        )
        self._champion = self._gauge("champion_info", "1 for the adapter in service.", "task", "adapter")

    def _counter(self, name: str, reason: str, *labels: str) -> Counter:
        return Counter(f"adaptd_{name}", reason, labels, registry=self._registry)

    def _gauge(self, name: str, reason: str, *labels: str) -> Gauge:
        return Gauge(f"adaptd_{name}", reason, labels, registry=self._registry)

    def observe(self, parcel: Parcel, outcome: Outcome, declared: frozenset[str]) -> None:
        """Count one committed parcel."""
        self._events.labels(parcel.source, "stored").inc(outcome.stored)
        self._events.labels(parcel.source, "duplicate").inc(outcome.duplicates)
        self._events.labels(parcel.source, "dead_letter").inc(len(outcome.dead_letters))
        for event in outcome.events:
            self._kinds.labels(event.task if event.task in declared else OTHER, event.kind).inc()

    def refused(self, source: str) -> None:
        """Count one HTTP request turned away whole."""
        self._events.labels(source, "refused").inc()

    def page(self, status: Status, declared: frozenset[str]) -> bytes:
        """The exposition text."""
        with self._filling:
            self._fill(status, declared)
            return generate_latest(self._registry)

    def _fill(self, status: Status, declared: frozenset[str]) -> None:
        self._ready.set(status.ready)
        for source in status.sources:
            self._lost.labels(source.name).set(source.lost_records)
            if source.lag is not None:
                self._lag.labels(source.name).set(source.lag)
        self._champion.clear()
        for name, task in status.tasks.items():
            if name not in declared:
                continue
            if task.batch:
                self._have.labels(name).set(task.batch.have)
                self._need.labels(name).set(task.batch.need)
            for state, count in task.updates.totals.items():
                self._updates.labels(name, state).set(count)
            for score in task.scores:
                self._score.labels(name, score.adapter, score.metric).set(score.value)
            if task.champion:
                self._champion.labels(name, task.champion.adapter).set(1)
