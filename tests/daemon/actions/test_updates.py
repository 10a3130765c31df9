"""An update begun by hand: only with what a batch must have, and only where a daemon learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.actions.context import Context
from daemon.actions.updates import start_update
from daemon.batches import Batches
from daemon.config import Config
from daemon.errors import Denied, NotFound
from storage import updates
from storage.artifacts import Artifacts
from storage.store import Store
from tests.storage.makers import NOW, example, keep

CONFIG = Config.model_validate(
    {
        "rewards": {"settle": "0s"},
        "batching": {"min": 2, "max": 50, "max_wait": "10h", "max_share_per_user": 1, "min_users": 1},
        "updates": {"method": "noop"},
        "tasks": {"erd": {}},
    }
)


@dataclass
class Daemon:
    """As much of a running one as is asked (daemon.actions.context.Live)."""

    roles: tuple[str, ...] = ("learn",)
    begun: list[str] = field(default_factory=list)

    def begin(self, task: str) -> None:
        self.begun.append(task)


def context(store: Store, folder: Path, live: Any) -> Context:
    return Context(store, Artifacts(folder), lambda: CONFIG, lambda: NOW, live=live)


def test_the_fewest_are_enough_when_it_is_asked_for(store: Store, tmp_path: Path) -> None:
    store.write(lambda tx: keep(tx, example("a"), example("b"), example("c")))
    daemon = Daemon()
    started = start_update(context(store, tmp_path, daemon), "erd")
    assert daemon.begun == ["erd"]
    assert started.reason == "2 of 2 examples, 1 of 1 users: asked for by hand"


def test_too_little_is_refused_with_what_is_missing(store: Store, tmp_path: Path) -> None:
    store.write(lambda tx: keep(tx, example("a")))
    daemon = Daemon()
    with pytest.raises(Denied, match="erd has too little for an update: 1 of 2 examples"):
        start_update(context(store, tmp_path, daemon), "erd")
    assert daemon.begun == []


def test_without_a_daemon_that_learns_nothing_begins(store: Store, tmp_path: Path) -> None:
    for live in (None, Daemon(roles=("intake",))):
        with pytest.raises(Denied, match="only a running daemon with the role learn"):
            start_update(context(store, tmp_path, live), "erd")


def test_a_task_that_is_not_learned_is_not_found(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no task sql is learned"):
        start_update(context(store, tmp_path, Daemon()), "sql")


def test_the_scheduler_begins_it_at_its_next_look_and_one_at_a_time(store: Store, tmp_path: Path) -> None:
    store.write(lambda tx: keep(tx, example("a"), example("b")))
    task = CONFIG.task("erd")
    assert task is not None
    batches = Batches(store, lambda: NOW)
    batches.consider(task, ["erd"], "erd@v0", None)
    assert store.read(lambda tx: updates.list_updates(tx, "erd")) == []
    batches.ask("erd")
    batches.consider(task, ["erd"], "erd@v0", None)
    (update,) = store.read(lambda tx: updates.list_updates(tx, "erd"))
    assert update.batch_size == 2
    with pytest.raises(Denied, match="update 1 of erd is queued"):
        start_update(context(store, tmp_path, Daemon()), "erd")
