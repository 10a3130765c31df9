"""The scheduler's ticks: one task's trouble is said once, and stops nobody."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

from structlog.testing import capture_logs

from daemon.config import Config
from daemon.learning import Learning
from learners.gate import SetUnreadable
from learners.job import Base
from storage.artifacts import Artifacts
from storage.store import Store
from tests.storage.makers import NOW


def test_trouble_with_a_batch_is_said_once_although_not_every_tick_looks_at_batches(
    store: Store, tmp_path: Path
) -> None:
    config = Config.model_validate({"tasks": {"erd": {}, "other": {}}})
    learning = Learning(store, Artifacts(tmp_path), lambda: config, lambda: NOW)
    learning._base, learning._old_bases = Base(path="base", hash="base"), []
    for part in ("_engine", "_jobs", "_batches", "_training", "_judging", "_releasing", "_searching"):
        setattr(learning, part, MagicMock())
    looked: list[str] = []

    def consider(task: object, *_: object) -> None:
        looked.append(str(getattr(task, "name", "")))
        if looked[-1] == "erd":
            raise SetUnreadable("golden.jsonl cannot be read")

    setattr(learning._batches, "consider", consider)  # noqa: B010
    with capture_logs() as logs:
        for look in (True, False, False, True, False, True):
            learning._tick(look_at_batches=look)
    assert looked == ["erd", "other"] * 3
    assert [one["reason"] for one in logs] == ["golden.jsonl cannot be read"]
