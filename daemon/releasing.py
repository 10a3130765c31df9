"""Releases: what the registry says is champion is brought to every target, again and again until it is so (I6).

The registry is the truth, targets are reconcilers (`daemon.release`): nothing here remembers what was released. Beside
each champion, the last ones before it stay loaded, so that they can be pinned and a roll-back is at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection

from daemon.actions.context import EngineRoute
from daemon.engine_service import EngineService
from daemon.old_bases import OldBase
from daemon.release import engine, targets
from daemon.release.contract import ReleaseOutcome, Site, Target, Wanted
from daemon.settings import ReleaseSettings
from storage import decisions, registry
from storage.artifacts import Artifacts
from storage.errors import ArtifactCorrupt
from storage.records import Adapter, Decision, Line
from storage.store import Store

log = structlog.get_logger(__name__)

KEPT_BEFORE = 2  # former champions that stay loaded
LOOK_EVERY_S = 2.0  # even when nothing changed: an engine may have been restarted
SOON_S = 0.3  # after a change of champions, or while something is not yet serving


class Releasing:
    """`tick` from the scheduler thread; `routes` and `names` from any."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        service: EngineService,
        settings: ReleaseSettings,
        slots: int,
        clock: Callable[[], datetime],
        old_bases: Sequence[OldBase] = (),
    ) -> None:
        self._old_bases = list(old_bases)
        self._store, self._artifacts, self._service, self._clock = store, artifacts, service, clock
        self._engine = engine.EngineTarget(settings.engine, slots)
        self._to_engine = "engine" in settings.targets
        self._targets: list[Target] = []
        site = Site(Path.cwd(), slots=slots)
        others = (name for name in settings.targets if name != engine.NAME)
        self._targets += [targets()[name].open_target(getattr(settings, name), site) for name in others]
        self._champions: dict[str, str] = {}
        self._serving: dict[str, Line] = {}
        self._verified: set[str] = set()
        self._starts = 0
        self._next_s = 0.0

    def tick(self) -> None:
        """Reconcile when something changed, and from time to time."""
        champions = {line.task: line.champion for line in self._store.read(registry.list_lines)}
        serving = {line.task: line for line in self._store.read(registry.serving_lines)}
        if (champions, serving) == (self._champions, self._serving) and time.monotonic() < self._next_s:
            return
        self._champions, self._serving = champions, serving
        self._follow_engine()
        outcomes = self._reconcile()
        for outcome in outcomes:
            if outcome.changed:
                self._say(outcome)
        settled = all(outcome.state == "serving" for outcome in outcomes)
        self._next_s = time.monotonic() + (LOOK_EVERY_S if settled else SOON_S)

    def _reconcile(self) -> list[ReleaseOutcome]:
        """The engine gets the champion of each newest line, against which candidates are judged; every other target,
        and engines of old bases, get those that answer."""
        outcomes: list[ReleaseOutcome] = []
        if self._to_engine:
            outcomes += self._engine.reconcile(self._store.read(lambda tx: self._wanted(tx, self._champions)))
        answering = {task: line.champion for task, line in self._serving.items()}
        for target in self._targets:
            outcomes += target.reconcile(self._store.read(lambda tx: self._wanted(tx, answering)))
        for old in self._old_bases:
            mine = {task: line.champion for task, line in self._serving.items() if line.base_hash == old.hash}
            outcomes += old.reconcile(self._store.read(lambda tx, mine=mine: self._wanted(tx, mine)))  # type: ignore[misc]
        return outcomes

    def retire(self) -> list[OldBase]:
        """Those old bases that nobody is answered from any more, given up: their engines can be ended."""
        idle = [old for old in self._old_bases if self._serving and not self._needed(old)]
        self._old_bases = [old for old in self._old_bases if old not in idle]
        return idle

    def _needed(self, old: OldBase) -> bool:
        """Also by a task whose new champion is not in the engine yet."""
        return any(
            line.base_hash == old.hash or (not self._answers(line) and old.route(task) is not None)
            for task, line in self._serving.items()
        )

    def _answers(self, line: Line) -> bool:
        """Whether that line's champion is in the engine of the present base."""
        route = self._engine.routes().tasks.get(line.task)
        return route is not None and route.champion == line.champion

    def routes(self) -> Mapping[str, EngineRoute]:
        """Where each task's adapters answer now."""
        found = dict(self._engine.routes().tasks)
        for line in [line for line in self._serving.values() if not self._answers(line)]:
            for route in [old.route(line.task) for old in self._old_bases]:
                found |= {line.task: route} if route else {}
        return {
            task: EngineRoute(route.engine_url, route.champion, route.engine_model, dict(route.versions))
            for task, route in found.items()
        }

    def names(self) -> dict[str, str]:
        """The name of each adapter in the engine of the present base."""
        routes = self._engine.routes().tasks.values()
        return {ours: theirs for route in routes for ours, theirs in route.versions.items()}

    def close(self) -> None:
        for target in (self._engine, *self._targets):
            target.close()

    def _follow_engine(self) -> None:
        """A restarted engine has forgotten what it held, even under the same address."""
        if self._service.starts != self._starts:
            self._starts = self._service.starts
            self._engine.moved(None)
        self._engine.moved(self._service.url)

    def _wanted(self, tx: Connection, champions: Mapping[str, str]) -> list[Wanted]:
        found: list[Wanted] = []
        for task, champion in champions.items():
            adapters = {adapter.name: adapter for adapter in registry.list_adapters(tx, task)}
            found += self._checked(adapters[champion], "champion")
            base = adapters[champion].base_hash
            former = [one for one in adapters.values() if one.state == "retired" and one.base_hash == base]
            for adapter in sorted(former, key=lambda a: -a.version)[:KEPT_BEFORE]:
                found += self._checked(adapter, "pinned")
        return found

    def _checked(self, adapter: Adapter, role: str) -> Sequence[Wanted]:
        """The adapter to serve, once its files were compared with their hashes (I4)."""
        if adapter.name not in self._verified:
            try:
                self._artifacts.verify(adapter)
            except ArtifactCorrupt as error:
                log.error("adapter is corrupt; not released", adapter=adapter.name, reason=str(error))
                return []
            self._verified.add(adapter.name)
        path = self._artifacts.path_of(adapter)
        return [Wanted(adapter, path, "champion" if role == "champion" else "pinned")]

    def _say(self, outcome: ReleaseOutcome) -> None:
        words = f"{outcome.target}: {outcome.state}: {outcome.reason}"
        log.info("release", target=outcome.target, adapter=outcome.adapter, state=outcome.state, reason=outcome.reason)
        if outcome.state != "waiting":
            detail = {"target": outcome.target, "state": outcome.state}
            decision = Decision(self._clock(), "release", words, outcome.task, outcome.adapter, detail=detail)
            self._store.write(lambda tx: decisions.record(tx, decision))
