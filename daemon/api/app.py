"""The routes. Each parses, calls one action and prints what it returns; errors become one JSON shape.

Reads and writes run in worker threads, so that a slow store never holds up `/healthz` (I7).
"""

from __future__ import annotations

import threading
from typing import Annotated, Any

from anyio import to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from daemon.actions.adapters import list_adapters, promote_adapter, roll_back, show_adapter
from daemon.actions.ask import MOST_QUESTIONS, ask_people
from daemon.actions.batches import list_batches
from daemon.actions.context import Context
from daemon.actions.decisions import list_decisions
from daemon.actions.emit_events import EmitReport, emit_events, refuse
from daemon.actions.events import list_dead_letters, list_events
from daemon.actions.failures import list_failures
from daemon.actions.history import task_history, update_history
from daemon.actions.rebase import rebase_task
from daemon.actions.routes import routes
from daemon.actions.status import adaptd_version, status
from daemon.actions.tuning import ask_to_tune, end_search, reset_tuning, show_tuning
from daemon.actions.updates import cancel_update, list_updates, show_update, start_update
from daemon.api.bodies import read_body
from daemon.api.errors import RETRY_AFTER_S, answer_errors, error_answer
from daemon.api.scrapes import Scrapes
from daemon.errors import TooLarge
from daemon.metrics.exposition import CONTENT_TYPE, Metrics

Count = Annotated[int, Query(ge=1, le=MOST_QUESTIONS)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Trials = Annotated[int, Query(ge=4, le=1000)]


def create_app(context: Context, metrics: Metrics) -> FastAPI:
    """The daemon's HTTP application over one context."""
    app = FastAPI(title="adaptd", version=adaptd_version(), docs_url="/docs", redoc_url=None)
    _health(app, context, metrics)
    _events(app, context)
    _reads(app, context)
    _deeds(app, context)
    answer_errors(app)
    return app


def _health(app: FastAPI, context: Context, metrics: Metrics) -> None:
    @app.get("/", include_in_schema=False)
    async def here() -> dict[str, str]:
        """Who answers, for somebody who opens the address in a browser."""
        doors = {"status": "/v1/status", "metrics": "/metrics", "events": "/v1/events", "api": "/docs"}
        return {"name": "adaptd", "version": adaptd_version(), **doors}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        missing = context.live.not_ready() if context.live else ["no daemon"]
        return JSONResponse({"ready": not missing, "not_ready": missing}, 503 if missing else 200)

    scrapes = Scrapes(lambda: metrics.page(context))

    @app.get("/metrics")
    async def metrics_page() -> Response:
        return Response(await scrapes.page(), media_type=CONTENT_TYPE)


def _events(app: FastAPI, context: Context) -> None:
    api = context.config().api
    places = threading.BoundedSemaphore(api.max_waiting)

    @app.post("/v1/events")
    async def events(request: Request) -> Response:
        body = await _bounded_body(request, api.max_body)
        if body is None:
            refuse(context)
            return error_answer(413, f"the request is larger than {api.max_body} bytes; send fewer events at once")
        if not places.acquire(blocking=False):
            refuse(context)
            return error_answer(429, "too many requests wait for the store; send again", RETRY_AFTER_S)
        try:
            report = await to_thread.run_sync(lambda: _emit(context, body, dict(request.headers)))
        finally:
            places.release()
        unread = report.dead_letters and not report.stored and not report.duplicates
        return JSONResponse(report.model_dump(), 422 if unread else 200)


def _emit(context: Context, body: bytes, headers: dict[str, str]) -> EmitReport:
    try:
        sent = read_body(body, headers)
    except TooLarge:
        refuse(context)
        raise
    return emit_events(context, sent.events, sent.headers)


async def _bounded_body(request: Request, most_bytes: int) -> bytes | None:
    """The body, or None as soon as it is longer than allowed."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > most_bytes:
            return None
    return bytes(parts)


def _reads(app: FastAPI, context: Context) -> None:
    @app.get("/v1/status")
    def read_status() -> Any:
        return status(context)

    @app.get("/v1/routes")
    def read_routes() -> Any:
        return routes(context)

    @app.get("/v1/ask")
    def read_questions(response: Response, task: str, count: Count = 10) -> Any:
        response.headers["Cache-Control"] = "no-store"  # asking is written down, and shows what users wrote
        return ask_people(context, task, count)

    @app.get("/v1/updates")
    def read_updates(task: str | None = None, limit: Limit = 50) -> Any:
        return list_updates(context, task, limit)

    @app.get("/v1/updates/{update_id}")
    def read_update(update_id: int) -> Any:
        return show_update(context, update_id)

    @app.get("/v1/updates/{update_id}/history")
    def read_update_history(update_id: int) -> Any:
        return update_history(context, update_id)

    @app.get("/v1/history")
    def read_history(task: str) -> Any:
        return task_history(context, task)

    @app.get("/v1/tuning")
    def read_tuning(task: str) -> Any:
        return show_tuning(context, task)

    @app.get("/v1/adapters")
    def read_adapters(task: str | None = None) -> Any:
        return list_adapters(context, task)

    @app.get("/v1/adapters/{name:path}")
    def read_adapter(name: str) -> Any:
        return show_adapter(context, name)

    @app.get("/v1/events")
    def read_events(task: str | None = None, kind: str | None = None, limit: Limit = 50) -> Any:
        return list_events(context, task, kind, limit)

    @app.get("/v1/dead-letters")
    def read_dead_letters(task: str | None = None, limit: Limit = 50) -> Any:
        return list_dead_letters(context, task, limit)

    @app.get("/v1/batches")
    def read_batches(task: str | None = None, limit: Limit = 50) -> Any:
        return list_batches(context, task, limit)

    @app.get("/v1/failures")
    def read_failures(
        response: Response, task: str, kind: str | None = None, limit: Limit = 10, texts: bool = False
    ) -> Any:
        if texts:
            response.headers["Cache-Control"] = "no-store"  # shows what users wrote
        return list_failures(context, task, kind, limit, texts=texts)

    @app.get("/v1/decisions")
    def read_decisions(after: int = 0, task: str | None = None, limit: Limit = 200) -> Any:
        return list_decisions(context, after, task, limit)


def _deeds(app: FastAPI, context: Context) -> None:
    @app.post("/v1/updates")
    def start(task: str) -> Any:
        return start_update(context, task)

    @app.post("/v1/updates/{update_id}/cancel")
    def cancel(update_id: int) -> Any:
        return cancel_update(context, update_id)

    @app.post("/v1/tuning")
    def tune(task: str, trials: Trials) -> Any:
        return ask_to_tune(context, task, trials)

    @app.post("/v1/tuning/cancel")
    def cancel_tuning(task: str) -> Any:
        return end_search(context, task)

    @app.post("/v1/tuning/reset")
    def turn_down(task: str) -> Any:
        return reset_tuning(context, task)

    @app.post("/v1/promote")
    def promote(adapter: str) -> Any:
        return promote_adapter(context, adapter)

    @app.post("/v1/rebase")
    def rebase(task: str) -> Any:
        return rebase_task(context, task)

    @app.post("/v1/rollback")
    def rollback(task: str) -> Any:
        return roll_back(context, task)
