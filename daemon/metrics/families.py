"""From declared metrics to what prometheus_client writes: counters that live on, and families made anew each time."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from daemon.metrics.catalogue import Metric


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """Counts what happens while this daemon runs; begins at 0 after a restart."""
    return Counter(metric.full_name.removesuffix("_total"), metric.help, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.full_name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)


class Tallies(Collector):
    """A histogram that takes many values at once: intake sees thousands a second, and one lock for each would show."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self._metric = metric
        self._bounds = [*metric.buckets, inf]
        self._tallies: dict[tuple[str, ...], _Tally] = {}
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, labels: tuple[str, ...], values: Sequence[float]) -> None:
        """Count the values; with none, begin the series at 0."""
        bounds = self._bounds
        with self._lock:
            tally = self._tallies.setdefault(labels, _Tally([0] * len(bounds)))
            for value in values:
                tally.counts[bisect_left(bounds, value)] += 1
            tally.sum += sum(values)

    def collect(self) -> Iterator[Family]:
        family = HistogramMetricFamily(self._metric.full_name, self._metric.help)
        with self._lock:
            found = [(labels, list(accumulate(tally.counts)), tally.sum) for labels, tally in self._tallies.items()]
        names = [floatToGoString(bound) for bound in self._bounds]  # type: ignore[no-untyped-call]
        for labels, counts, total in found:
            for name, count in zip(names, counts, strict=True):
                family.add_sample(f"{family.name}_bucket", {**self._named(labels), "le": name}, count)
            family.add_sample(f"{family.name}_count", self._named(labels), counts[-1])
            if self._bounds[0] >= 0:  # a sum that may fall would look like a restart
                family.add_sample(f"{family.name}_sum", self._named(labels), total)
        yield family

    def _named(self, labels: tuple[str, ...]) -> dict[str, str]:
        return dict(zip(self._metric.labels, labels, strict=True))


@dataclass
class _Tally:
    """How many values fell into each bucket (not added up), and their sum."""

    counts: list[int]
    sum: float = 0.0


class Families:
    """Samples of one scrape. What is not set is not there, so nothing outlives what it was about."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._families = {metric: _empty(metric) for metric in metrics}

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """`labels` in the order that the metric declares."""
        self._families[metric].add_metric(labels, value)

    def collect(self) -> Iterator[Family]:
        yield from self._families.values()


class Together(Collector):
    """Several collectors on one page."""

    def __init__(self, *parts: Collector | CollectorRegistry | Families) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Family]:
        for part in self._parts:
            yield from part.collect()


def _empty(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    if metric.kind == "counter":
        return CounterMetricFamily(metric.full_name.removesuffix("_total"), metric.help, labels=metric.labels)
    return GaugeMetricFamily(metric.full_name, metric.help, labels=metric.labels)
