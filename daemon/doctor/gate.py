"""The gate of each task: can its sets be read, and which gain could it detect today?"""

from __future__ import annotations

from daemon.config import ANY_TASK, Config, TaskConfig
from daemon.doctor.checks import Check, fail, ok, warn
from daemon.evidence import set_prompts
from daemon.power import power_now
from learners.gate import SetUnreadable
from storage.dialects import sqlite
from storage.errors import StorageError
from storage.store import Store


def check_gate(config: Config) -> list[Check]:
    """One line a task, and one for each whose golden file or retention set cannot be read."""
    tasks = [task for name in config.tasks if (task := config.task(name)) is not None]
    return [*_sets(tasks), *_powers(config.storage.url, [task for task in tasks if task.name != ANY_TASK])]


def _sets(tasks: list[TaskConfig]) -> list[Check]:
    faults: dict[str, Check] = {}
    for task in tasks:
        try:
            set_prompts(task)
        except SetUnreadable as error:
            faults[str(error)] = fail("gate", str(error))  # once, where it is every task's
    return list(faults.values())


def _powers(url: str, tasks: list[TaskConfig]) -> list[Check]:
    if not sqlite.path_of(url).exists():
        return []
    try:
        with Store.open_readonly(url) as store:
            return [_power(store, task) for task in tasks]
    except StorageError:
        return []  # said by the store's own check


def _power(store: Store, task: TaskConfig) -> Check:
    name = f"gate of {task.name}"
    if not task.gate.enabled:
        return warn(name, "off (gate.enabled: false): every candidate is promoted unseen")
    return ok(name, store.read(lambda tx: power_now(tx, task)).words)
