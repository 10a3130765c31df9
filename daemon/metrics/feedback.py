"""What intake sees as it commits: events, signals, rewards, similarity, and how long the halves of a pair waited."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from consumers.delays import JoinDelay
from consumers.rewards import reward
from daemon.config import Config
from daemon.intake import UNREADABLE, Found, Outcome, Parcel
from daemon.metrics import catalogue
from daemon.metrics.families import counter, histogram
from storage.records import KINDS, Signal

OTHER = "other"
FEEDBACK = tuple(kind for kind in KINDS if kind not in ("interaction", "retraction"))


class FeedbackMeasures:
    """Counters of this daemon's life. Thread-safe, as prometheus_client's are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = counter(catalogue.EVENTS, registry)
        self._stored = counter(catalogue.EVENTS_STORED, registry)
        self._unknown_fields = counter(catalogue.UNKNOWN_FIELDS, registry)
        self._signal = histogram(catalogue.SIGNAL, registry)
        self._reward = histogram(catalogue.REWARD, registry)
        self._similarity = histogram(catalogue.SIMILARITY, registry)
        self._join_delay = histogram(catalogue.JOIN_DELAY, registry)

    def prepare(self, sources: Iterable[str], tasks: Iterable[str]) -> None:
        """Begin every series at 0, so that the first event is seen to raise it."""
        for source in sources:
            self._unknown_fields.labels(source)
            self._events.labels(source, UNREADABLE, "dead_letter")
            self._events.labels(source, UNREADABLE, "refused")
            for kind in KINDS:
                for outcome in ("stored", "duplicate", "dead_letter"):
                    self._events.labels(source, kind, outcome)
        for task in (*tasks, OTHER):
            self._prepare_task(task)

    def _prepare_task(self, task: str) -> None:
        self._reward.labels(task)
        for kind in KINDS:
            self._stored.labels(task, kind)
        for kind in FEEDBACK:
            self._signal.labels(task, kind)
        for part in ("edit", "bleu"):
            self._similarity.labels(task, part)
        for first in ("interaction", "feedback"):
            self._join_delay.labels(task, first)

    def observe(self, parcel: Parcel, outcome: Outcome, config: Config) -> None:
        """Count one committed parcel."""
        for (kind, became), count in outcome.kinds.items():
            self._events.labels(parcel.source, kind, became).inc(count)
        self._unknown_fields.labels(parcel.source).inc(outcome.unknown_fields)
        for event in outcome.events:
            self._stored.labels(_named(event.task, config), event.kind).inc()
        for found in outcome.found:
            self._observe_found(found, config)

    def refused(self, source: str) -> None:
        """Count one HTTP request turned away whole: nobody has looked at what was in it."""
        self._events.labels(source, UNREADABLE, "refused").inc()

    def _observe_found(self, found: Found, config: Config) -> None:
        settings = {task: (config.task(task) or config).rewards for task in {task for task, _, _ in found.signals}}
        for task, kind, signal in found.signals:
            name = _named(task, config)
            self._signal.labels(name, kind).observe(signal.value)
            self._reward.labels(name).observe(reward(signal.value, settings[task]))
            self._observe_similarity(name, signal)
        for task, delay in found.delays:
            self._observe_delay(_named(task, config), delay)

    def _observe_similarity(self, task: str, signal: Signal) -> None:
        for part, value in (("edit", signal.edit), ("bleu", signal.bleu)):
            if value is not None:
                self._similarity.labels(task, part).observe(value)

    def _observe_delay(self, task: str, delay: JoinDelay) -> None:
        self._join_delay.labels(task, delay.first).observe(delay.seconds)


def _named(task: str, config: Config) -> str:
    """The task's name, if an operator gave it; what a sender wrote is never a label."""
    return task if task in config.declared else OTHER
