"""Which methods are installed and enabled for a task, with their settings; the rest of the feedback is `no method`."""

from __future__ import annotations

from daemon.config import TaskConfig
from learners.methods import find_method
from learners.router import Methods
from storage.records.settings import Settings


def methods_on(task: TaskConfig) -> Methods:
    """In the order in which they choose their rows."""
    settings: dict[str, Settings] = {"sft": task.sft, "noop": task.noop}
    method = find_method(task.method)
    return [(method, settings.get(task.method) or method.Settings())]
