"""A task's settings with what the tuner has put in force laid over them, and where each comes from. Pure.

adaptd.yaml stays the truth: a tuning holds only while the switch is on, on the base it was found for, and while the
file says of the tuned settings what it said when they won. Whoever edits one of them by hand is never overruled.

Passes that won are laid over `steps` as passes, so that an update of more rows than the search had takes more steps. A
tuning from before searches knew passes says so many steps, and means that still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.config import TaskConfig
from learners.tuner import PASSES, RATE, REPLAY, STEPS, of_method
from storage.records import Tuning


@dataclass(frozen=True)
class Tuned:
    """The task as it is in force; `values` of what can be tuned, and their origin in words."""

    task: TaskConfig
    method: str
    values: Mapping[str, Any]
    origin: str


def configured_values(task: TaskConfig, method: str) -> dict[str, Any]:
    """What adaptd.yaml says of the settings that can be tuned; `steps` may be `auto`, or passes in words."""
    own = getattr(task, method)
    return {RATE: own.learning_rate, STEPS: own.steps, REPLAY: task.replay_share}


def why_not(task: TaskConfig, tuning: Tuning, base_hash: str) -> str:
    """Why a tuning is not in force; empty where it is."""
    if not tuning.settings:
        return tuning.reason
    if not task.learners.hyperparameters:
        return "learners.hyperparameters is off"
    if tuning.base_hash != base_hash:
        return "it was found on another base"
    now = configured_values(task, tuning.method)
    tuned = [STEPS if name == PASSES else name for name in tuning.settings]
    changed = [name for name in tuned if now[name] != tuning.configured.get(name)]
    return f"adaptd.yaml says otherwise of {', '.join(changed)} since then" if changed else ""


def with_tuning(task: TaskConfig, tuning: Tuning | None, base_hash: str) -> Tuned:
    """The task with the tuning laid over it where that holds."""
    method = tuning.method if tuning else task.method
    if task.method == "noop":
        return Tuned(task, task.method, {}, "adaptd.yaml")
    if tuning is None or why_not(task, tuning, base_hash):
        return Tuned(task, method, configured_values(task, method), "adaptd.yaml")
    changes: dict[str, Any] = {"replay_share": tuning.settings[REPLAY]} if REPLAY in tuning.settings else {}
    changes[method] = getattr(task, method).model_copy(update=of_method(tuning.settings))
    laid_over = task.model_copy(update=changes)
    origin = f"tuning {tuning.version} of study {tuning.study_id}, in force since {tuning.since:%Y-%m-%d %H:%M} UTC"
    return Tuned(laid_over, method, configured_values(laid_over, method), origin)


def told(tuned: Tuned) -> dict[str, Any]:
    """For the update's report."""
    return {"settings": {"method": tuned.method, "values": dict(tuned.values), "origin": tuned.origin}}
