"""While a task's champion serves on an old base, its requests go there; afterwards that engine is given up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from daemon.config import Config
from daemon.old_bases import OldBase, find_old_bases
from daemon.release.contract import ReleaseOutcome, Wanted
from daemon.release.routes import Routes, TaskRoute
from daemon.releasing import Releasing
from daemon.settings import ReleaseSettings
from learners.base import base_hash
from storage import registry
from storage.artifacts import Artifacts
from storage.records import Adapter
from storage.store import Store
from tests.storage.makers import NOW, later

TASK = "erd"


class FakeEngine:
    """An engine target that serves at once whatever it is asked for; also an old base, with a hash."""

    def __init__(self, url: str, hashed: str = "") -> None:
        self.url, self.hash = url, hashed
        self.served: dict[str, str] = {}
        self.away = False

    def reconcile(self, wanted: Sequence[Wanted]) -> tuple[ReleaseOutcome, ...]:
        if not self.away:
            self.served = {one.adapter.task: one.adapter.name for one in wanted if one.role == "champion"}
        return ()

    def routes(self) -> Routes:
        return Routes(tasks={task: route for task in self.served if (route := self.route(task)) is not None})

    def route(self, task: str) -> TaskRoute | None:
        name = self.served.get(task)
        return TaskRoute(champion=name, engine_model=name, engine_url=self.url, versions={name: name}) if name else None

    def moved(self, url: str | None) -> None: ...


class FakeService:
    starts, url = 0, "http://new"


def adapter(version: int, base: str, state: str = "candidate") -> Adapter:
    name, folder = f"{TASK}@v{version}", f"{TASK}/v{version}"
    return Adapter(name, TASK, version, base, None, None, NOW, state, folder)  # type: ignore[arg-type]


def promote(store: Store, one: Adapter, against: str) -> None:
    store.write(lambda tx: registry.add_candidate(tx, one))
    assert store.write(lambda tx: registry.promote(tx, TASK, one.name, against, later(one.version)))


@pytest.fixture
def site(store: Store, tmp_path: Path) -> tuple[Releasing, FakeEngine, FakeEngine]:
    """A champion on base `old`, and a new line on base `new`."""
    first = store.write(lambda tx: registry.ensure_line(tx, TASK, "old", NOW))
    promote(store, adapter(1, "old"), first.champion)
    store.write(lambda tx: registry.ensure_line(tx, TASK, "new", later(5)))
    here, old = FakeEngine("http://new"), FakeEngine("http://old", "old")
    settings, artifacts = ReleaseSettings(targets=["engine"]), Artifacts(tmp_path)
    bases = [cast(OldBase, old)]
    releasing = Releasing(store, artifacts, cast(Any, FakeService()), settings, 8, lambda: NOW, bases)
    releasing._engine = cast(Any, here)
    return releasing, here, old


def answering(releasing: Releasing) -> Mapping[str, tuple[str, str]]:
    return {task: (route.champion, route.engine_url) for task, route in releasing.routes().items()}


def test_the_old_champion_answers_from_the_old_engine_while_the_new_base_is_judged_in_the_other(
    site: tuple[Releasing, FakeEngine, FakeEngine],
) -> None:
    releasing, here, _ = site
    releasing.tick()
    assert answering(releasing) == {TASK: ("erd@v1", "http://old")}
    assert here.served == {TASK: "erd@v2"}
    assert releasing.names() == {"erd@v2": "erd@v2"}, "candidates are judged in the engine of the new base"
    assert releasing.retire() == []


def test_the_new_champion_takes_over_once_it_is_in_the_engine_and_then_the_old_one_is_retired(
    site: tuple[Releasing, FakeEngine, FakeEngine], store: Store
) -> None:
    releasing, here, old = site
    releasing.tick()
    promote(store, adapter(3, "new"), "erd@v2")
    here.away = old.away = True  # neither engine has got any further yet
    releasing.tick()
    assert answering(releasing) == {TASK: ("erd@v1", "http://old")}, "nobody is left without an answer"
    assert releasing.retire() == []
    here.away = old.away = False
    releasing._next_s = 0.0
    releasing.tick()
    assert answering(releasing) == {TASK: ("erd@v3", "http://new")}
    assert [each.hash for each in releasing.retire()] == ["old"]
    assert releasing.retire() == []


def test_an_old_base_is_found_by_what_its_adapters_say_and_only_while_it_is_unchanged(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    hashed, artifacts = base_hash(folder), Artifacts(tmp_path / "artifacts")
    first = store.write(lambda tx: registry.ensure_line(tx, TASK, hashed, NOW))
    promote(store, adapter(1, hashed), first.champion)
    kept = artifacts.path_of(adapter(1, hashed))
    assert kept is not None
    kept.mkdir(parents=True)
    (kept / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))

    def found(present: str) -> list[str]:
        return [base.hash for base in store.read(lambda tx: find_old_bases(tx, artifacts, Config(), present))]

    assert found("another") == [hashed]
    assert found(hashed) == []
    (folder / "config.json").write_text('{"changed": true}')
    assert found("another") == []
