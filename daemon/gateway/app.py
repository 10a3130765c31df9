"""The gateway's HTTP door: OpenAI's chat and legacy completions, models, `/healthz` and `/metrics`.

`model="erd"` is the champion, `erd@v7` pins. Each answer says its interaction id, in the header
`x-adaptd-interaction-id` and in the body under `adaptd`; feedback refers to it. `x-adaptd-user` (or OpenAI's `user`)
is the user's pseudonym; `x-adaptd-record: none` keeps one request unrecorded. No keys, no streaming in this version.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from daemon.gateway.measures import Measures
from daemon.gateway.recorder import NotRecorded, Recorder, interaction_event
from daemon.gateway.routes import Route, RouteBook, find_route
from daemon.gateway.settings import GatewaySettings
from daemon.gateway.upstream import StaleRoute, UpstreamAnswer, ask_engine
from learners.engines.wire import BadRequest, ChatRequest, error_body, read_chat, read_completion
from storage.records.ids import new_id

FLUSH_S = 3.0
RETRY_AFTER_S = 1
MAX_USER_CHARS = 256

Read = Callable[[Any], ChatRequest]
Write = Callable[[str, Route, UpstreamAnswer], dict[str, Any]]


class Gateway:
    """What happens to one request; `make_app` gives it its doors."""

    def __init__(self, api_url: str, settings: GatewaySettings) -> None:
        self.settings = settings
        self.measures = Measures()
        limits = httpx.Limits(max_connections=settings.max_in_flight + 8, max_keepalive_connections=64)
        self._http = httpx.AsyncClient(limits=limits, trust_env=False)
        self.book = RouteBook(api_url, self._http, self.measures)
        self.recorder = Recorder(api_url, self._http, self.measures, settings)
        self._in_flight = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps routes fresh and records while inside; on leaving, gives waiting interactions a last few seconds."""
        await self.book.refresh()
        loops = [asyncio.create_task(self.book.keep_fresh()), asyncio.create_task(self.recorder.run())]
        try:
            yield
        finally:
            await self.recorder.flush(FLUSH_S)
            for loop in loops:
                loop.cancel()
                with suppress(asyncio.CancelledError):
                    await loop
            await self._http.aclose()

    async def answer(self, request: Request, read: Read, write: Write) -> Response:
        """One request from body to answer, counted and timed."""
        started = time.perf_counter()
        task = "other"
        try:
            with self._place():
                asked = read(await self._body(request))
                route = find_route(self.book.current, asked.model)
                task = route.task
                response = await self._served(request, asked, route, write)
        except BadRequest as error:
            response = refusal(error)
        self.measures.requests.labels(task, response.status_code).inc()
        self.measures.seconds.labels(task).observe(time.perf_counter() - started)
        return response

    async def _served(self, request: Request, asked: ChatRequest, route: Route, write: Write) -> Response:
        user_id, recorded = _user(request, asked), _wants_record(request)
        route, answer = await self._ask(asked, route)
        interaction_id = new_id()
        if recorded:
            event = interaction_event(
                interaction_id,
                route,
                asked,
                response=answer.text,
                finish_reason=answer.finish_reason,
                user_id=user_id,
            )
            await self._record(event)
        body = {**write(interaction_id, route, answer), "adaptd": _mark(interaction_id, route)}
        return JSONResponse(body, headers={"x-adaptd-interaction-id": interaction_id})

    async def _ask(self, asked: ChatRequest, route: Route) -> tuple[Route, UpstreamAnswer]:
        """Asks the engine; when it has just dropped the adapter, asks the daemon for the new route, once."""
        try:
            return route, await ask_engine(self._http, route, asked, self.settings.timeout)
        except StaleRoute:
            await self.book.refresh()
            route = find_route(self.book.current, asked.model)
            return route, await ask_engine(self._http, route, asked, self.settings.timeout)

    async def _record(self, event: dict[str, Any]) -> None:
        if self.settings.record == "background":
            self.recorder.record_later(event)
            return
        try:
            await self.recorder.record_now(event)
        except NotRecorded as error:
            raise BadRequest(
                f"The answer could not be recorded ({error.reason}) and gateway.record is sync; try again.", 503
            ) from None

    async def _body(self, request: Request) -> Any:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self.settings.max_body_bytes:
                raise BadRequest(f"The body is over {self.settings.max_body_bytes} bytes; send less.", 413)
            chunks.append(chunk)
        try:
            return json.loads(b"".join(chunks))
        except (ValueError, RecursionError):
            raise BadRequest("The body is not JSON.") from None

    def _place(self) -> Place:
        if self._in_flight >= self.settings.max_in_flight:
            raise BadRequest(f"{self._in_flight} requests are being answered, the bound; try again soon.", 503)
        return Place(self)

    def occupy(self, change: int) -> None:
        """Counts a request in (+1) or out (-1)."""
        self._in_flight += change
        self.measures.in_flight.set(self._in_flight)


class Place:
    """A request's place among those in flight, given back on leaving."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __enter__(self) -> None:
        self._gateway.occupy(1)

    def __exit__(self, *_: object) -> None:
        self._gateway.occupy(-1)


def make_app(gateway: Gateway, on_ready: Callable[[], None] = lambda: None) -> FastAPI:
    """The ASGI application; `on_ready` is called once its loops run."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with gateway.running():
            on_ready()
            yield

    app = FastAPI(title="adaptd gateway", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_api_route("/v1/chat/completions", _post(gateway, read_chat, _as_chat_completion), methods=["POST"])
    app.add_api_route("/v1/completions", _post(gateway, read_completion, _as_completion), methods=["POST"])
    app.add_api_route("/v1/models", _get(gateway, _models), methods=["GET"])
    app.add_api_route("/healthz", _get(gateway, _health), methods=["GET"])
    app.add_api_route("/metrics", _get(gateway, _metrics), methods=["GET"])
    return app


def refusal(error: BadRequest) -> JSONResponse:
    """The error as OpenAI clients read it, with Retry-After where coming again helps."""
    headers = {"retry-after": str(RETRY_AFTER_S)} if error.status in (429, 503) else None
    return JSONResponse(error_body(error.what, error.status, error.param), error.status, headers)


def _post(gateway: Gateway, read: Read, write: Write) -> Callable[[Request], Awaitable[Response]]:
    async def post(request: Request) -> Response:
        return await gateway.answer(request, read, write)

    return post


def _get(gateway: Gateway, show: Callable[[Gateway], Response]) -> Callable[[], Awaitable[Response]]:
    async def get() -> Response:
        return show(gateway)

    return get


def _user(request: Request, asked: ChatRequest) -> str | None:
    user = request.headers.get("x-adaptd-user") or asked.user
    if user is not None and len(user) > MAX_USER_CHARS:
        raise BadRequest(f"x-adaptd-user is over {MAX_USER_CHARS} characters; send a short pseudonym.")
    return user or None


def _wants_record(request: Request) -> bool:
    wish = request.headers.get("x-adaptd-record")
    if wish not in (None, "none"):
        raise BadRequest("x-adaptd-record can only be none; leave it out to have the interaction recorded.")
    return wish is None


def _mark(interaction_id: str, route: Route) -> dict[str, str]:
    return {"interaction_id": interaction_id, "adapter": route.adapter}


def _as_chat_completion(interaction_id: str, route: Route, answer: UpstreamAnswer) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": answer.text}}
    return _completed("chat.completion", f"chatcmpl-{interaction_id}", route, answer, choice)


def _as_completion(interaction_id: str, route: Route, answer: UpstreamAnswer) -> dict[str, Any]:
    return _completed("text_completion", f"cmpl-{interaction_id}", route, answer, {"text": answer.text})


def _completed(
    kind: str, answer_id: str, route: Route, answer: UpstreamAnswer, choice: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": answer_id,
        "object": kind,
        "created": int(time.time()),
        "model": route.adapter,
        "choices": [{"index": 0, **choice, "logprobs": None, "finish_reason": answer.finish_reason}],
        "usage": answer.usage,
    }


def _models(gateway: Gateway) -> Response:
    tasks = gateway.book.current.tasks if gateway.book.current else {}
    card = {"object": "model", "created": 0, "owned_by": "adaptd"}
    cards = []
    for task, routes in sorted(tasks.items()):
        cards.append({"id": task, **card, "root": routes.champion})
        cards.extend({"id": version, **card, "parent": task} for version in routes.versions)
    return JSONResponse({"object": "list", "data": cards})


def _health(gateway: Gateway) -> Response:
    return JSONResponse({"status": "ok", "routes_known": gateway.book.current is not None})


def _metrics(gateway: Gateway) -> Response:
    return Response(generate_latest(gateway.measures.registry), media_type=CONTENT_TYPE_LATEST)
