"""Engines of bases that `model.base` no longer names, for champions that still serve on them.

When the base is changed, each task begins a new line of adapters. Until that line has a champion of its own, the old
one goes on answering from an engine that holds the old base: where its folder is, its adapter's config says, and the
line's hash says whether the model there is still the same. Such an engine is ended once nobody serves from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Connection

from daemon.config import Config
from daemon.engine_service import EngineService
from daemon.release.contract import ReleaseOutcome, Wanted
from daemon.release.engine import EngineTarget
from daemon.release.routes import TaskRoute
from learners.base import base_hash, find_base
from learners.errors import LearnerError
from storage import registry
from storage.artifacts import Artifacts
from storage.records import Adapter, Line

log = structlog.get_logger(__name__)


class OldBase:
    """One old base: its engine, and the champions in it. Called from the scheduler thread, `routes` from any."""

    def __init__(self, config: Config, hashed: str, folder: Path) -> None:
        self.hash = hashed
        kept = Path(config.storage.artifacts) / "engine" / hashed[:8]
        self.service = EngineService(config, folder, kept, name=f"engine-{hashed[:8]}")
        self._target = EngineTarget(config.release.engine, config.engine.max_adapters)
        self._starts = 0

    def tick(self, now_s: float) -> None:
        self.service.tick(now_s)

    def reconcile(self, wanted: Sequence[Wanted]) -> tuple[ReleaseOutcome, ...]:
        """Brings the champions into the engine, wherever it is now."""
        if self.service.starts != self._starts:
            self._starts = self.service.starts
            self._target.moved(None)
        self._target.moved(self.service.url)
        return self._target.reconcile(wanted)

    def route(self, task: str) -> TaskRoute | None:
        return self._target.routes().tasks.get(task)

    def stop(self) -> None:
        self.service.stop()
        self._target.close()


def find_old_bases(tx: Connection, artifacts: Artifacts, config: Config, present: str) -> list[OldBase]:
    """One for each base beside the present one on which a champion serves, and whose folder still holds it."""
    found: dict[str, OldBase] = {}
    for line in serving_elsewhere(registry.serving_lines(tx), present):
        champion = registry.get_adapter(tx, line.champion)
        assert champion is not None, "a line's champion is registered"
        folder = None if line.base_hash in found else _folder_of(champion, artifacts)
        if folder is not None:
            found[line.base_hash] = OldBase(config, line.base_hash, folder)
    return list(found.values())


def serving_elsewhere(lines: Iterable[Line], present: str) -> list[Line]:
    return [line for line in lines if line.base_hash != present]


def _folder_of(champion: Adapter, artifacts: Artifacts) -> Path | None:
    """Of the base that the adapter was trained on, when it is still what it was. Else it is said why not, and None."""
    path = artifacts.path_of(champion)
    try:
        config = json.loads((path / "adapter_config.json").read_bytes()) if path else {}
        folder = find_base(str(config.get("base_model_name_or_path")))
        if base_hash(folder) == champion.base_hash:
            return folder
        reason = f"{folder} holds another model now"
    except (OSError, ValueError, AttributeError, LearnerError) as error:
        reason = str(error)
    log.warning("the old champion cannot go on serving", task=champion.task, adapter=champion.name, reason=reason)
    return None


def tick_all(bases: Sequence[OldBase], guarded: Callable[[str, Callable[[], None]], None], now_s: float) -> None:
    """One's trouble does not stop the others."""
    for base in bases:
        guarded(f"engine of the old base {base.hash[:8]}", lambda base=base: base.tick(now_s))  # type: ignore[misc]
