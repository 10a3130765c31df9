"""Every metric of the daemon, declared once: its name, its labels, what it says and why anybody would want to know.

Each section of `docs/metrics.md` is a file here. The page that Prometheus reads, the docs and the tests of alerts and
dashboard are all made from these, so nothing can be measured and stay unexplained. Labels come from closed lists: tasks
that the config declares (any other is `other`), kinds, outcomes, names of sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from daemon.metrics.catalogue import adapters, batches, feedback, intake, running, updates
from daemon.metrics.catalogue.labels import LABELS
from daemon.metrics.catalogue.metric import Metric

__all__ = ["LABELS", "METRICS", "SECTIONS", "Metric", "adapters", "batches", "feedback", "intake", "running", "updates"]


def _declared(section: ModuleType) -> tuple[Metric, ...]:
    return tuple(value for value in vars(section).values() if isinstance(value, Metric))


SECTIONS: Mapping[str, tuple[Metric, ...]] = {
    "Intake": _declared(intake),
    "Feedback": _declared(feedback),
    "Batches": _declared(batches),
    "Updates": _declared(updates),
    "Adapters": _declared(adapters),
    "Daemon": _declared(running),
}
METRICS: tuple[Metric, ...] = tuple(metric for section in SECTIONS.values() for metric in section)
