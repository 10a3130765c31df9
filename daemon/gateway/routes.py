"""Which engine and which of its models answer for a task: read from the daemon each second, kept when it is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
import structlog
from pydantic import ValidationError

from daemon.gateway.measures import Measures
from daemon.release.routes import Routes
from learners.engines.wire import BadRequest

POLL_INTERVAL_S = 1.0
POLL_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where one request goes: the adapter by its public name, the engine, and the engine's name for it."""

    task: str
    adapter: str
    engine_url: str
    engine_model: str


def find_route(routes: Routes | None, model: str) -> Route:
    """The route of `erd` (champion) or `erd@v7` (pinned).

    Raises BadRequest: 503 while nothing is known or served yet, 404 saying what exists.
    """
    if routes is None:
        raise BadRequest("The daemon has not told the gateway yet which adapters serve; try again soon.", 503)
    if not routes.tasks:
        raise BadRequest("No task has a model in service yet; see `adaptd status`, and try again.", 503)
    task = model.rpartition("@")[0] or model
    known = routes.tasks.get(task)
    if known is None:
        raise BadRequest(f"There is no task of that name; there are: {', '.join(sorted(routes.tasks))}.", 404, "model")
    if model == task:
        return Route(task, known.champion, known.engine_url, known.engine_model)
    if model not in known.versions:
        raise BadRequest(f"That version is not served; these are: {', '.join(known.versions)}.", 404, "model")
    return Route(task, model, known.engine_url, known.versions[model])


class RouteBook:
    """The last good routes. `current` is None until the daemon has answered once."""

    def __init__(self, api_url: str, http: httpx.AsyncClient, measures: Measures) -> None:
        self.current: Routes | None = None
        self._url = f"{api_url}/v1/routes"
        self._http = http
        self._measures = measures
        self._reachable = True

    async def keep_fresh(self) -> None:
        """Polls for ever; cancel it to end."""
        while True:
            await self.refresh()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def refresh(self) -> None:
        """Asks the daemon once; what it cannot tell leaves the last good routes as they are."""
        try:
            answer = await self._http.get(self._url, timeout=POLL_TIMEOUT_S)
            answer.raise_for_status()
            self.current = Routes.model_validate_json(answer.content)
            self._note(reachable=True)
        except (httpx.HTTPError, ValidationError) as error:
            self._note(reachable=False, why=type(error).__name__)

    def _note(self, *, reachable: bool, why: str = "") -> None:
        """Counts each failure, and says once when the daemon goes or comes back."""
        self._measures.routes_known.set(self.current is not None)
        if not reachable:
            self._measures.route_errors.inc()
        if reachable != self._reachable:
            log.info("gateway.daemon_back") if reachable else log.warning("gateway.daemon_away", error=why)
        self._reachable = reachable
