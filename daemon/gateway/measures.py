"""The gateway's own metrics. Labels hold task names that routes know, and HTTP codes; never a user or a model asked."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Measures:
    """One registry a gateway, so that tests may have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "requests by task and HTTP status", ["task", "code"])
        self.recorded = self._counter("recorded", "interactions the daemon has taken")
        self.record_errors = self._counter("record_errors", "tries at recording that failed", ["reason"])
        self.record_dropped = self._counter("record_dropped", "interactions given up unrecorded", ["reason"])
        self.route_errors = self._counter("route_errors", "times the daemon could not tell the routes")
        self.routes_known = self._gauge("routes_known", "1 once the daemon has told the routes")
        self.record_waiting = self._gauge("record_waiting", "interactions that wait to be recorded")
        self.in_flight = self._gauge("in_flight", "requests that are being answered")
        self.seconds = Histogram(
            "adaptd_gateway_request_seconds", "time to answer", ["task"], buckets=SECONDS, registry=self.registry
        )

    def _counter(self, name: str, doc: str, labels: list[str] | None = None) -> Counter:
        return Counter(f"adaptd_gateway_{name}", doc, labels or [], registry=self.registry)

    def _gauge(self, name: str, doc: str) -> Gauge:
        return Gauge(f"adaptd_gateway_{name}", doc, registry=self.registry)
