"""The gateway's own metrics. Labels hold task names that routes know, and HTTP codes; never a user or a model asked.

Each says what it counts and, after it, what for; `docs/metrics.md` is made from that.
"""

from __future__ import annotations

from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Measures:
    """One registry a gateway, so that tests may have several."""

    LABELS: ClassVar[dict[str, tuple[str, ...]]] = {
        "adaptd_gateway_requests_total": ("task", "code"),
        "adaptd_gateway_record_errors_total": ("reason",),
        "adaptd_gateway_record_dropped_total": ("reason",),
        "adaptd_gateway_request_seconds": ("task",),
    }

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each that nobody asks for
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests by task and HTTP status. Do users get answers?")
        self.recorded = self._counter("recorded", "Interactions that the daemon has taken. Can feedback refer to them?")
        self.record_errors = self._counter(
            "record_errors", "Tries at recording that failed, by reason. Is the daemon there?"
        )
        self.record_dropped = self._counter(
            "record_dropped", "Interactions given up unrecorded, by reason. Feedback on them will stay alone."
        )
        self.route_errors = self._counter(
            "route_errors",
            "Times that the daemon could not tell the routes. Does the gateway serve yesterday's champion?",
        )
        self.routes_known = self._gauge("routes_known", "1 once the daemon has told the routes. Can it answer at all?")
        self.record_waiting = self._gauge(
            "record_waiting", "Interactions that wait to be recorded. Does the daemon keep up?"
        )
        self.in_flight = self._gauge("in_flight", "Requests that are being answered. Is `gateway.max_in_flight` near?")
        self.seconds = Histogram(
            "adaptd_gateway_request_seconds",
            "Seconds to answer, the engine's time included. How long do users wait?",
            self.LABELS["adaptd_gateway_request_seconds"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def _counter(self, name: str, doc: str) -> Counter:
        labels = self.LABELS.get(f"adaptd_gateway_{name}_total", ())
        return Counter(f"adaptd_gateway_{name}", doc, labels, registry=self.registry)

    def _gauge(self, name: str, doc: str) -> Gauge:
        return Gauge(f"adaptd_gateway_{name}", doc, registry=self.registry)
