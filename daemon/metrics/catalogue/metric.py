"""What is declared of a metric, and the buckets that histograms share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricKind = Literal["counter", "gauge", "histogram"]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
REWARDS = (-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
WORK_S = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
WAITS_S = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is without the prefix `adaptd_` and without a counter's `_total`; `what` says the unit."""

    name: str
    kind: MetricKind
    what: str
    why: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As Prometheus knows it."""
        return f"adaptd_{self.name}_total" if self.kind == "counter" else f"adaptd_{self.name}"

    @property
    def help(self) -> str:
        return f"{self.what} {self.why}"
