"""Release target `engine`: champions and pinned versions in the serving engine, and the routes to them.

Each pass compares what is wanted with what the engine lists, and goes on from there: load -> listed -> parity probe ->
route -> unload what nobody needs. So it converges after a restart of either side. A champion that cannot be loaded or
fails its probe gets no route: what served before goes on serving.

The parity probe reads how likely the adapter holds a few fixed texts (`learners.probes`): the numbers must be finite,
the same when read again, and those that training recorded in the manifest under `probes`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.release.contract import Changes, ReleaseOutcome, Site, Target, Wanted
from daemon.release.names import ENGINE_NAME, engine_name
from daemon.release.routes import Routes, TaskRoute
from learners.engines.client import EngineClient, EngineModel, Scored
from learners.engines.errors import EngineError, EngineRefused, EngineUnreachable
from learners.probes import PROBES
from storage.records import Message
from storage.records.settings import DurationS, setting
from storage.records.settings import Settings as BaseSettings

NAME = "engine"
RETRY_FAILED_S = 30.0  # a load or probe that failed is not tried in every pass


class Settings(BaseSettings):
    """The `release.engine` section."""

    parity_nats: float = setting(
        0.02,
        doc="how far, in nats a token, an engine's likelihoods may be from those that training recorded",
        unit="nats a token",
        gt=0,
    )
    timeout: DurationS = setting(60.0, doc="longest wait for one answer of the engine, loading included", gt=0)


def open_target(settings: Settings, site: Site) -> Target:
    return EngineTarget(settings, site.slots, site.engine_url)


class ProbeFailed(EngineError):
    """The engine does not answer as the adapter was trained.

    To do: restart the engine; where it lasts, base model or library versions differ between engine and training.

    Shows as: the release's reason in decisions and log.
    """


class NoSlot(EngineError):
    """Every adapter slot of the engine is in use.

    To do: raise `engine.max_adapters`.

    Shows as: the release's reason in decisions and log.
    """


@dataclass(frozen=True, slots=True)
class _Engine:
    """The engine in one pass: its client, the name of its base, what it holds (name -> folder)."""

    client: EngineClient
    base_name: str
    held: dict[str, str | None]


class EngineTarget:
    """`moved` tells it where the engine is now; `routes` may be read from any thread."""

    def __init__(
        self,
        settings: Settings,
        slots: int,
        url: str | None = None,
        connect: Callable[[str, float], EngineClient] = EngineClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._slots = slots
        self._connect = connect
        self._clock = clock
        self._client: EngineClient | None = None
        self._changes = Changes(NAME)
        self._proved: set[str] = set()
        self._failed: dict[str, tuple[float, EngineError]] = {}  # engine name -> when and how
        self._routes: dict[str, TaskRoute] = {}
        self.moved(url)

    def moved(self, url: str | None) -> None:
        """The engine is at that URL now (it was restarted), or not there. Call it from the thread that reconciles."""
        if self._client is not None and url == self._client.url:
            return
        self.close()
        self._proved.clear()
        self._failed.clear()
        self._client = None if url is None else self._connect(url, self._settings.timeout)

    def routes(self) -> Routes:
        """What gateways are told, as of now."""
        return Routes(tasks=self._routes)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def reconcile(self, wanted: Sequence[Wanted]) -> tuple[ReleaseOutcome, ...]:
        champions = [one for one in wanted if one.role == "champion"]
        if self._client is None:
            return tuple(self._changes.outcome(one, "waiting", "the engine is not ready yet") for one in champions)
        asked = {one.adapter.task for one in champions}
        self._routes = {task: route for task, route in self._routes.items() if task in asked}
        try:
            engine = self._look(self._client)
            outcomes = tuple(self._serve_champion(engine, one, wanted) for one in champions)
            for one in wanted:
                if one.role == "pinned":
                    self._serve_pinned(engine, one, wanted)
            self._unload_unneeded(engine, wanted)
        except EngineUnreachable as error:
            self._proved.clear()  # it may come back as another process
            return tuple(self._changes.outcome(one, "waiting", f"{error} Tried again soon.") for one in champions)
        return outcomes

    def _look(self, client: EngineClient) -> _Engine:
        models = client.models()
        base = _base_of(models)
        held = {m.name: m.root for m in models if m.parent is not None}
        self._proved &= {*held, base}
        return _Engine(client, base, held)

    def _serve_champion(self, engine: _Engine, one: Wanted, wanted: Sequence[Wanted]) -> ReleaseOutcome:
        try:
            name = self._ready(engine, one, wanted)
        except (EngineRefused, ProbeFailed, NoSlot) as error:
            return self._changes.outcome(one, "failed", f"{error} {self._meanwhile(one)}")
        self._route(engine, one, name, wanted)
        return self._changes.outcome(one, "serving", f"{name} at {engine.client.url}")

    def _serve_pinned(self, engine: _Engine, one: Wanted, wanted: Sequence[Wanted]) -> None:
        """A pinned version takes a free slot or none; that it could not be loaded is no failure of the release."""
        task, version = one.adapter.task, one.adapter.name
        if task not in self._routes:
            return
        try:
            name = self._ready(engine, one, wanted)
        except (EngineRefused, ProbeFailed, NoSlot):
            return
        self._add_version(task, version, name)

    def _ready(self, engine: _Engine, one: Wanted, wanted: Sequence[Wanted]) -> str:
        """The engine's name of the adapter, loaded and proved.

        Raises EngineRefused, ProbeFailed, NoSlot, EngineUnreachable.
        """
        name = engine_name(one.adapter, engine.base_name)
        if name in self._proved:
            return name
        failed_at, error = self._failed.get(name, (-math.inf, None))
        if error is not None and self._clock() - failed_at < RETRY_FAILED_S:
            raise error
        if one.path is not None and name not in engine.held:
            self._make_room(engine, one, wanted)
        try:
            self._load_and_prove(engine, one, name)
        except (EngineRefused, ProbeFailed) as refused:
            self._failed[name] = (self._clock(), refused)
            raise
        self._failed.pop(name, None)
        return name

    def _load_and_prove(self, engine: _Engine, one: Wanted, name: str) -> None:
        if one.path is not None and name not in engine.held:
            engine.client.load(name, one.path)
            self._check_listed(engine, name, one.path)
        try:
            self._prove(engine.client, one, name)
        except ProbeFailed:
            if one.path is not None:
                self._unload(engine, name)
            raise
        self._proved.add(name)

    def _check_listed(self, engine: _Engine, name: str, path: Path) -> None:
        if all(model.name != name for model in engine.client.models()):
            raise ProbeFailed(f"The engine took {name} but does not list it; see its log.")
        engine.held[name] = str(path)

    def _make_room(self, engine: _Engine, one: Wanted, wanted: Sequence[Wanted]) -> None:
        """Sees to a free slot, and leaves one for a candidate to be judged in where that can be. Raises NoSlot.

        First goes what nobody wants, then, for a champion, pinned versions, the last wanted first.
        """
        judged = {engine_name(w.adapter, engine.base_name) for w in wanted if w.role == "judged"}
        full = len(engine.held) >= self._slots
        if not full and len(engine.held.keys() - judged) < self._slots - 1:
            return
        spare = self._unneeded(engine, wanted)
        if one.role == "champion":
            spare += self._pinned_ones(engine, wanted)
        if spare:
            self._unload(engine, spare[0])
        elif full or one.role == "pinned":
            raise NoSlot(f"All {self._slots} adapter slots of the engine are in use; give it more.")

    def _pinned_ones(self, engine: _Engine, wanted: Sequence[Wanted]) -> list[str]:
        serving = {route.engine_model for route in self._routes.values()}
        pinned = [engine_name(w.adapter, engine.base_name) for w in reversed(wanted) if w.role == "pinned"]
        return [name for name in pinned if name in engine.held and name not in serving]

    def _prove(self, client: EngineClient, one: Wanted, name: str) -> None:
        """Raises ProbeFailed."""
        texts = [((Message("user", prompt),), completion) for prompt, completion in PROBES]
        first, second = client.score(name, texts), client.score(name, texts)
        if not all(math.isfinite(read.nll) for read in first):
            raise ProbeFailed(f"{name} answers with likelihoods that are no numbers; do not release it.")
        if not all(_near(a, b.nll, self._settings.parity_nats) for a, b in zip(first, second, strict=True)):
            raise ProbeFailed(f"{name} gave two likelihoods for one text; restart the engine.")
        recorded = _recorded(one)
        for probe, read in zip(PROBES, first, strict=True):
            nll = recorded.get(probe, read.nll)
            if not _near(read, nll, self._settings.parity_nats):
                raise ProbeFailed(
                    f"{name} does not answer as it was trained ({read.nll:.2f} nats for a fixed text, {nll:.2f} in "
                    "training); see that engine and training use the same base and chat template."
                )

    def _unload_unneeded(self, engine: _Engine, wanted: Sequence[Wanted]) -> None:
        for name in self._unneeded(engine, wanted):
            self._unload(engine, name)

    def _unneeded(self, engine: _Engine, wanted: Sequence[Wanted]) -> list[str]:
        """Adapters under our kind of name that are neither wanted nor what a champion's route points to."""
        needed = {engine_name(one.adapter, engine.base_name) for one in wanted}
        needed |= {route.engine_model for route in self._routes.values()}
        return [name for name in engine.held if name not in needed and ENGINE_NAME.fullmatch(name)]

    def _unload(self, engine: _Engine, name: str) -> None:
        """Takes the routes to it away first."""
        self._routes = {task: _without(route, name) for task, route in self._routes.items()}
        self._proved.discard(name)
        engine.held.pop(name, None)
        with suppress(EngineRefused):  # somebody else was first; the next pass looks again
            engine.client.unload(name)

    def _route(self, engine: _Engine, one: Wanted, name: str, wanted: Sequence[Wanted]) -> None:
        """Points the task at its champion; versions that are still wanted and still there keep their route."""
        still = {w.adapter.name for w in wanted if w.role != "judged"}
        there = {*engine.held, engine.base_name}
        before = self._routes.get(one.adapter.task)
        kept = {v: n for v, n in before.versions.items() if v in still and n in there} if before else {}
        route = TaskRoute(
            champion=one.adapter.name,
            engine_model=name,
            engine_url=engine.client.url,
            versions={one.adapter.name: name, **kept},
        )
        self._routes = {**self._routes, one.adapter.task: route}

    def _add_version(self, task: str, version: str, name: str) -> None:
        route = self._routes[task]
        self._routes = {**self._routes, task: route.model_copy(update={"versions": {**route.versions, version: name}})}

    def _meanwhile(self, one: Wanted) -> str:
        route = self._routes.get(one.adapter.task)
        return f"{route.champion} goes on serving." if route else "Nothing serves this task."


def _base_of(models: Sequence[EngineModel]) -> str:
    base = next((model.name for model in models if model.parent is None), None)
    if base is None:
        raise EngineUnreachable("The engine lists no base model; is it still starting?")
    return base


def _without(route: TaskRoute, name: str) -> TaskRoute:
    versions = {version: model for version, model in route.versions.items() if model != name}
    return route.model_copy(update={"versions": versions})


def _near(read: Scored, nll: float, nats_a_token: float) -> bool:
    return abs(read.nll - nll) <= nats_a_token * max(1, read.tokens)


def _recorded(one: Wanted) -> dict[tuple[str, str], float]:
    """What training recorded of the probes; empty for the base, and for adapters that came from elsewhere."""
    found = one.adapter.manifest.get("probes") or ()
    return {(probe["prompt"], probe["completion"]): float(probe["nll"]) for probe in found}
