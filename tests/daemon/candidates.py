"""A task whose candidates wait to be judged: their files are there, their examples reserved, and no worker runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.config import Config, TaskConfig
from daemon.jobs import Done
from daemon.judging import Judging
from storage import buffer, registry, reservations, updates
from storage.artifacts import Artifacts
from storage.records import Adapter, Update, UpdateState
from storage.store import Store
from tests.storage.makers import NOW, example, keep

TASK = "erd"
BATCH, POOL = 2, 3


class NoWorkers:
    """Jobs without workers; what they were to find is put into `done`."""

    def __init__(self) -> None:
        self.done: dict[int, Path] = {}

    def has(self, update_id: int) -> bool:
        return update_id in self.done

    def look(self, update: Update) -> Done:
        return Done(self.done.pop(update.update_id))

    def cancel(self, update_id: int) -> None: ...


class Bench:
    """`candidate(state)` is the next version, with its update in that state."""

    def __init__(self, store: Store, folder: Path, **config: Any) -> None:
        self.store, self._folder = store, folder
        self.config = Config.model_validate({"tasks": {TASK: {}}, **config})
        self.artifacts, self.jobs = Artifacts(folder / "artifacts"), NoWorkers()
        self.context = Context(store, self.artifacts, lambda: self.config, lambda: NOW)
        self.judging = Judging(
            store,
            self.artifacts,
            self.jobs,  # type: ignore[arg-type]
            lambda: self.config,
            lambda: NOW,
            lambda: None,
        )
        store.write(lambda tx: registry.ensure_line(tx, TASK, "base", NOW))

    @property
    def task(self) -> TaskConfig:
        found = self.config.task(TASK)
        assert found is not None
        return found

    @property
    def champion(self) -> str:
        line = self.store.read(lambda tx: registry.line_of(tx, TASK))
        assert line is not None
        return line.champion

    def candidate(self, state: UpdateState) -> Update:
        """Trained on two examples, of three that it reserved."""
        made = self.store.write(self._trained)
        if state == "held":
            self.judging.step(made, self.task)  # the gate is empty
        return self.now(made)

    def now(self, update: Update) -> Update:
        found = self.store.read(lambda tx: updates.get_update(tx, update.update_id))
        assert found is not None
        return found

    def counts(self) -> tuple[int, int, int]:
        """How many examples are open (the reserved too), reserved, learned."""
        counts = self.store.read(lambda tx: buffer.buffer_counts(tx, TASK))
        return counts.open, counts.reserved, counts.learned

    def state_of(self, name: str | None) -> str:
        found = self.store.read(lambda tx: registry.get_adapter(tx, str(name)))
        assert found is not None
        return found.state

    def _trained(self, tx: Connection) -> Update:
        version = registry.next_version(tx, TASK)
        update = updates.create_update(tx, TASK, self._champion(tx), "ripe", NOW)
        pool = keep(tx, *(example(f"v{version} {number}") for number in range(POOL)))
        reservations.reserve(tx, update.update_id, pool, NOW)
        report = {"batch": [[one.interaction_id, one.revision] for one in pool[:BATCH]]}
        name = f"{TASK}@v{version}"
        update = updates.change_update(tx, update, "running", NOW, candidate=name, report=report)
        registry.add_candidate(tx, self._published(name, version, update))
        return updates.change_update(tx, update, "trained", NOW)

    def _champion(self, tx: Connection) -> str:
        line = registry.line_of(tx, TASK)
        assert line is not None
        return line.champion

    def _published(self, name: str, version: int, update: Update) -> Adapter:
        made = self._folder / f"made {version}"
        made.mkdir()
        (made / "adapter_config.json").write_text("{}")
        (made / "adapter_model.safetensors").write_text(name)
        directory, files = self.artifacts.publish(name, made, {})
        parent, number = update.champion, update.update_id
        return Adapter(name, TASK, version, "base", parent, number, NOW, "candidate", directory, files)
