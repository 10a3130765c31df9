"""From declared metrics to what prometheus_client writes: counters that live on, and families made anew each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from daemon.metrics.catalogue import Metric


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """Counts what happens while this daemon runs; begins at 0 after a restart."""
    return Counter(metric.full_name.removesuffix("_total"), metric.help, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.full_name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)


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
