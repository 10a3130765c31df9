"""Which settings a running daemon takes, and which stay until it is started again."""

from __future__ import annotations

from typing import Any

from daemon.config import Config
from daemon.config_changes import changes, held_back


def config(**sections: Any) -> Config:
    return Config.model_validate(sections)


def test_a_live_setting_is_taken() -> None:
    old, new = config(), config(batching={"min": 30}, learners={"curriculum": True})
    merged, waiting = held_back(old, new)
    assert (merged, waiting) == (new, [])
    assert changes(old, merged) == ["batching.min", "learners.curriculum"]


def test_a_setting_that_is_not_live_stays_and_is_named_to_its_last_key() -> None:
    old = config(model={"base": "a", "lora": {"rank": 8}})
    new = config(model={"base": "b", "lora": {"rank": 16}}, storage={"url": "sqlite:///other.db"}, gate={"alpha": 0.1})
    merged, waiting = held_back(old, new)
    assert waiting == ["model.base", "model.lora.rank", "storage.url"]
    assert (merged.model, merged.storage, merged.gate.alpha) == (old.model, old.storage, 0.1)
    assert changes(old, merged) == ["gate.alpha"]


def test_within_a_live_section_a_setting_can_be_one_that_stays() -> None:
    old, new = config(), config(updates={"executor": "local", "max_running": 3})
    merged, _ = held_back(old, new)
    assert merged.updates.max_running == 3
    tasks = config(tasks={"erd": {}}), config(tasks={"erd": {"holdout": {"min": 5}, "learners": {"curriculum": True}}})
    merged, waiting = held_back(*tasks)
    assert waiting == ["tasks.erd.holdout.min"]
    assert merged.tasks["erd"].holdout == {}
    assert merged.tasks["erd"].learners == {"curriculum": True}


def test_the_sources_stay_as_one() -> None:
    old, new = config(sources=[{"type": "http"}]), config(sources=[{"type": "http", "default_task": "erd"}])
    merged, waiting = held_back(old, new)
    assert (merged.sources, waiting) == (old.sources, ["sources"])


def test_tasks_come_and_go_without_a_restart() -> None:
    old = config(tasks={"one": {}, "two": {}})
    new = config(tasks={"two": {"batching": {"min": 5}}, "three": {"holdout": {"min": 5}}})
    merged, waiting = held_back(old, new)
    assert waiting == []
    assert set(merged.tasks) == {"two", "three"}
    assert merged.tasks["three"].holdout == {"min": 5}
    assert changes(old, merged) == ["tasks.one", "tasks.two.batching.min", "tasks.three"]
