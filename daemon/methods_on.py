"""Which methods are installed and enabled for a task, with their settings; the rest of the feedback is `no method`."""

from __future__ import annotations

from daemon.config import TaskConfig
from learners.methods import find_method
from learners.router import Methods


def methods_on(task: TaskConfig) -> Methods:
    """In the order in which they choose their rows, which is that of an update's phases.

    Whether there are pairs enough for the preference method to be used is `learners.preference`'s to say.
    """
    if task.method == "noop":
        return [(find_method("noop"), task.noop)]
    preference = [] if task.learners.preference == "off" else [(find_method("dpo"), task.dpo)]
    return [(find_method("sft"), task.sft), *preference]
