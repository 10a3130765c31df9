"""Which methods are installed and enabled for a task, with their settings; the rest of the feedback is `no method`."""

from __future__ import annotations

from daemon.config import TaskConfig
from learners.floor import Floor
from learners.methods import find_method
from learners.preference import possible
from learners.router import Methods


def methods_on(task: TaskConfig, floor: Floor | None = None) -> Methods:
    """In the order in which they choose their rows, which is that of an update's phases.

    Of the methods that learn from preferences an update uses at most one: `learners.preference` says which. `floor` is
    what SFT's is in force, where that depends on the task's history.
    """
    if task.method == "noop":
        return [(find_method("noop"), task.noop)]
    preference = [("dpo", task.dpo), ("kto", task.kto)]
    chosen = [(find_method(name), settings) for name, settings in preference if name in possible(task.preference)]
    sft = task.sft.model_copy(update={"min_signal": floor.signal}) if floor else task.sft
    return [(find_method("sft"), sft), *chosen]
