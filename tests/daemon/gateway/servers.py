"""A fake engine and a fake daemon API on loopback ports, and a gateway between them, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from daemon.gateway.app import Gateway, make_app
from daemon.gateway.settings import GatewaySettings
from learners.engines.ports import bind_port


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    """The application's URL while inside."""
    listener = bind_port("127.0.0.1", 0)
    listener.listen(64)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class FakeEngine:
    """Answers with the model's name and the last message; `refuse` makes it answer an error instead."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.known = {"base", "erd-v3-aa", "erd-v2-bb"}
        self.refuse: tuple[int, str] | None = None
        self.app = FastAPI()
        self.app.add_api_route("/v1/chat/completions", self.chat, methods=["POST"])

    async def chat(self, request: Request) -> JSONResponse:
        body = await request.json()
        self.asked.append(body)
        if self.refuse:
            return JSONResponse({"error": {"message": self.refuse[1]}}, self.refuse[0])
        if body["model"] not in self.known:
            return JSONResponse({"error": {"message": "not loaded"}}, 404)
        text = f"{body['model']}: {body['messages'][-1]['content']}"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        return JSONResponse({"choices": [choice], "usage": usage})


class FakeDaemon:
    """Holds routes and takes events; `refuse` is a list of (status, headers) to answer posts with first."""

    def __init__(self) -> None:
        self.routes: dict[str, Any] | None = None
        self.events: list[dict[str, Any]] = []
        self.refuse: list[tuple[int, dict[str, str]]] = []
        self.most_at_once = 1000
        self.app = FastAPI()
        self.app.add_api_route("/v1/routes", self.tell_routes, methods=["GET"])
        self.app.add_api_route("/v1/events", self.take, methods=["POST"])

    async def tell_routes(self) -> JSONResponse:
        return JSONResponse(self.routes or {}, 200 if self.routes else 503)

    async def take(self, request: Request) -> JSONResponse:
        events = await request.json()
        if self.refuse:
            status, headers = self.refuse.pop(0)
            return JSONResponse({"error": "no"}, status, headers)
        if len(events) > self.most_at_once:
            return JSONResponse({"error": "too much"}, 413)
        self.events.extend(events)
        return JSONResponse({"stored": len(events), "duplicates": 0, "dead_letters": []})

    def route_to(self, engine_url: str) -> None:
        versions = {"erd@v3": "erd-v3-aa", "erd@v2": "erd-v2-bb", "erd@v0": "base"}
        erd = {"champion": "erd@v3", "engine_model": "erd-v3-aa", "engine_url": engine_url, "versions": versions}
        self.routes = {"tasks": {"erd": erd}}


@contextmanager
def gateway_at(api_url: str, **settings: Any) -> Iterator[str]:
    """A gateway's URL while inside."""
    with serve(make_app(Gateway(api_url, GatewaySettings(**settings)))) as url:
        yield url


def wait_until(holds: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Returns as soon as it holds; fails the test when it does not in time."""
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)
