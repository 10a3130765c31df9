"""What intake sees as it commits: events, signals, rewards, similarity, and how long the halves of a pair waited."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry

from consumers.rewards import RewardSettings, reward
from daemon.config import Config
from daemon.intake import UNREADABLE, Found, Outcome, Parcel
from daemon.metrics import catalogue
from daemon.metrics.families import Tallies, counter
from storage.records import KINDS, Signal

OTHER = "other"
PARTS = ("edit", "bleu")
FEEDBACK = tuple(kind for kind in KINDS if kind not in ("interaction", "retraction"))


class FeedbackMeasures:
    """Counters of this daemon's life. Thread-safe, as prometheus_client's are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = counter(catalogue.intake.EVENTS, registry)
        self._stored = counter(catalogue.intake.EVENTS_STORED, registry)
        self._unknown_fields = counter(catalogue.intake.UNKNOWN_FIELDS, registry)
        self._signal = Tallies(catalogue.feedback.SIGNAL, registry)
        self._reward = Tallies(catalogue.feedback.REWARD, registry)
        self._asked_reward = Tallies(catalogue.feedback.ASKED_REWARD, registry)
        self._similarity = Tallies(catalogue.feedback.SIMILARITY, registry)
        self._join_delay = Tallies(catalogue.intake.JOIN_DELAY, registry)

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
        self._reward.observe((task,), ())
        self._asked_reward.observe((task,), ())
        for kind in KINDS:
            self._stored.labels(task, kind)
        for kind in FEEDBACK:
            self._signal.observe((task, kind), ())
        for part in PARTS:
            self._similarity.observe((task, part), ())
        for first in ("interaction", "feedback"):
            self._join_delay.observe((task, first), ())

    def observe(self, parcel: Parcel, outcome: Outcome, config: Config) -> None:
        """Count one committed parcel."""
        for (kind, became), count in outcome.kinds.items():
            self._events.labels(parcel.source, kind, became).inc(count)
        self._unknown_fields.labels(parcel.source).inc(outcome.unknown_fields)
        for (task, kind), count in Counter((event.task, event.kind) for event in outcome.events).items():
            self._stored.labels(_named(task, config), kind).inc(count)
        for found in outcome.found:
            self._observe_found(found, config)

    def refused(self, source: str) -> None:
        """Count one HTTP request turned away whole: nobody has looked at what was in it."""
        self._events.labels(source, UNREADABLE, "refused").inc()

    def _observe_found(self, found: Found, config: Config) -> None:
        signals: defaultdict[tuple[str, str], list[Signal]] = defaultdict(list)
        for task, kind, signal in found.signals:
            signals[task, kind].append(signal)
        for (task, kind), known in signals.items():
            self._observe_signals(_named(task, config), kind, known, (config.task(task) or config).rewards)
        for task, _, signal in found.asked:
            settings = (config.task(task) or config).rewards
            self._asked_reward.observe((_named(task, config),), [reward(signal.value, settings)])
        delays: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for task, delay in found.delays:
            delays[_named(task, config), delay.first].append(delay.seconds)
        for labels, seconds in delays.items():
            self._join_delay.observe(labels, seconds)

    def _observe_signals(self, task: str, kind: str, signals: Sequence[Signal], settings: RewardSettings) -> None:
        values = [signal.value for signal in signals]
        self._signal.observe((task, kind), values)
        self._reward.observe((task,), [reward(value, settings) for value in values])
        for part in PARTS:
            compared = [value for signal in signals if (value := getattr(signal, part)) is not None]
            if compared:
                self._similarity.observe((task, part), compared)


def _named(task: str, config: Config) -> str:
    """The task's name, if an operator gave it; what a sender wrote is never a label."""
    return task if task in config.declared else OTHER
