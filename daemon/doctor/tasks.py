"""Settings of a task that are each right and never come true together."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.config import Config, TaskConfig
from daemon.doctor.checks import Check, fail, warn


def check_tasks(config: Config) -> list[Check]:
    """A line for each contradiction, once where it is every task's."""
    tasks = [task for name in config.tasks if (task := config.task(name)) is not None]
    return list(dict.fromkeys(check for task in tasks for check in (*_batching(task), *_gate(task))))


def _batching(task: TaskConfig) -> Iterator[Check]:
    batching = task.batching
    if batching.min_users > batching.max:
        yield warn(
            "batching",
            f"batching.min_users ({batching.min_users}) is above batching.max ({batching.max}): an update would need "
            "examples of more users than it may have examples, so hardly any starts; lower min_users or raise max",
        )


def _gate(task: TaskConfig) -> Iterator[Check]:
    gate, holdout = task.gate, task.holdout
    if not gate.enabled:
        return
    if gate.min_prompts > holdout.cap:
        yield fail(
            "gate",
            f"gate.min_prompts ({gate.min_prompts}) is above holdout.cap ({holdout.cap}): a judgement never reads so "
            "many, so every candidate is held until it expires; lower min_prompts or raise holdout.cap",
        )
    if holdout.share == 0 and holdout.min < gate.min_prompts:
        yield warn(
            "gate",
            f"holdout.share is 0, and holdout.min ({holdout.min}) is below gate.min_prompts ({gate.min_prompts}): "
            "nothing more is held back for judging, so candidates are held for want of evidence; raise one of the "
            "two, or set gate.enabled: false",
        )
