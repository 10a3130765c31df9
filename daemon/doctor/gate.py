"""The gate of each task: can its sets be read, and which gain could it detect today?"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.config import ANY_TASK, Config, TaskConfig
from daemon.doctor.checks import Check, fail, ok, warn
from daemon.evidence import set_prompts
from daemon.power import power_now
from learners.gate import SetUnreadable
from storage import buffer
from storage.dialects import sqlite
from storage.errors import StorageError
from storage.store import Store


def check_gate(config: Config) -> list[Check]:
    """One line for each task of the config or the store, and one for each set that cannot be read."""
    return [*_sets(_tasks(config, config.tasks)), *_powers(config)]


def _tasks(config: Config, names: Iterable[str]) -> list[TaskConfig]:
    return [task for name in names if (task := config.task(name)) is not None]


def _sets(tasks: list[TaskConfig]) -> list[Check]:
    faults: dict[str, Check] = {}
    for task in tasks:
        try:
            set_prompts(task)
        except SetUnreadable as error:
            faults[str(error)] = fail("gate", str(error))  # once, where it is every task's
    return list(faults.values())


def _powers(config: Config) -> list[Check]:
    url = config.storage.url
    if not sqlite.path_of(url).exists():
        return []
    try:
        with Store.open_readonly(url) as store:
            names = {*config.tasks, *store.read(buffer.tasks)} - {ANY_TASK}  # `*` learns what only the store can name
            return [_power(store, task) for task in _tasks(config, sorted(names))]
    except StorageError:
        return []  # said by the store's own check


def _power(store: Store, task: TaskConfig) -> Check:
    name = f"gate of {task.name}"
    if not task.gate.enabled:
        return warn(name, "off (gate.enabled: false): every candidate is promoted unseen")
    power = store.read(lambda tx: power_now(tx, task))
    if power.gain is None:
        return warn(name, f"{power.words}, so candidates are held; wait for feedback, or see holdout.share and min")
    return ok(name, power.words)
