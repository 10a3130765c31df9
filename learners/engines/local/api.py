"""The engine's HTTP door: OpenAI's chat and legacy completions, vLLM's load and unload, and `/v1/score`.

Loopback only and without keys: it is started for one daemon on one machine. No request is logged.

`POST /v1/score {"model": name, "items": [{"messages": [...], "completion": text}]}` answers
`{"results": [{"nll": sum over the completion's tokens in nats, "tokens": n, "entropy": mean in nats}]}`, the stop
token included.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from learners.engines.client import Answer
from learners.engines.local.service import Service
from learners.engines.wire import BadRequest, ChatRequest, error_body, parse_messages, read_chat, read_completion
from storage.records import Message
from storage.records.ids import new_id

T = TypeVar("T")
MAX_BODY_BYTES = 8 * 2**20
MAX_SCORE_ITEMS = 256
RETRY_AFTER_S = 1


def make_app(service: Service) -> FastAPI:
    """The ASGI application over a running service."""
    app = FastAPI(title="adaptd local engine", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(BadRequest, _refuse)
    routes: dict[str, Callable[[Service, Any], Awaitable[dict[str, Any]]]] = {
        "/v1/chat/completions": _chat,
        "/v1/completions": _completion,
        "/v1/score": _score,
        "/v1/load_lora_adapter": _load,
        "/v1/unload_lora_adapter": _unload,
    }
    for path, answer in routes.items():
        app.add_api_route(path, _door(service, answer), methods=["POST"])
    app.add_api_route("/v1/models", _window(service, _models), methods=["GET"])
    app.add_api_route("/health", _window(service, _health), methods=["GET"])
    return app


def _door(
    service: Service, answer: Callable[[Service, Any], Awaitable[dict[str, Any]]]
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def post(request: Request) -> JSONResponse:
        return JSONResponse(await answer(service, await _body(request)))

    return post


def _window(service: Service, show: Callable[[Service], JSONResponse]) -> Callable[[], Awaitable[JSONResponse]]:
    async def get() -> JSONResponse:
        return show(service)

    return get


async def _body(request: Request) -> Any:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BadRequest(f"The body is over {MAX_BODY_BYTES} bytes; send less at once.", 413)
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadRequest)
    headers = {"retry-after": str(RETRY_AFTER_S)} if error.status in (429, 503) else None
    return JSONResponse(error_body(error.what, error.status, error.param), error.status, headers)


async def _wait(future: Future[T]) -> T:
    return await asyncio.wrap_future(future)


async def _chat(service: Service, body: Any) -> dict[str, Any]:
    asked = read_chat(body)
    answer, prompt_tokens = await _wait(service.generate(asked))
    choice = {"message": {"role": "assistant", "content": answer.text}}
    return _completed("chat.completion", "chatcmpl", asked, choice, answer, prompt_tokens)


async def _completion(service: Service, body: Any) -> dict[str, Any]:
    asked = read_completion(body)
    answer, prompt_tokens = await _wait(service.generate(asked))
    return _completed("text_completion", "cmpl", asked, {"text": answer.text}, answer, prompt_tokens)


def _completed(
    kind: str, prefix: str, asked: ChatRequest, choice: dict[str, Any], answer: Answer, prompt_tokens: int
) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{new_id()}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model,
        "choices": [{"index": 0, **choice, "logprobs": None, "finish_reason": answer.finish_reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer.tokens,
            "total_tokens": prompt_tokens + answer.tokens,
        },
    }


async def _score(service: Service, body: Any) -> dict[str, Any]:
    model, items = _text_field(body, "model"), body.get("items")
    if not isinstance(items, list) or len(items) > MAX_SCORE_ITEMS:
        raise BadRequest(f"items must be a list of at most {MAX_SCORE_ITEMS}", param="items")
    read = [_score_item(item) for item in items]
    scored = await _wait(service.score(model, read))
    return {"results": [s and {"nll": s.nll, "tokens": s.tokens, "entropy": s.entropy} for s in scored]}


def _score_item(item: Any) -> tuple[tuple[Message, ...], str]:
    completion = _text_field(item, "completion")
    return parse_messages(item.get("messages")), completion


async def _load(service: Service, body: Any) -> dict[str, Any]:
    name, path = _text_field(body, "lora_name"), Path(_text_field(body, "lora_path"))
    new = await _wait(service.load(name, path))
    return {"message": f"{name!r} is loaded" if new else f"{name!r} was loaded already"}


async def _unload(service: Service, body: Any) -> dict[str, Any]:
    name = _text_field(body, "lora_name")
    await _wait(service.unload(name))
    return {"message": f"{name!r} is unloaded"}


def _text_field(body: Any, field: str) -> str:
    found = body.get(field) if isinstance(body, dict) else None
    if not isinstance(found, str) or (not found and field != "completion"):
        raise BadRequest(f"{field} must be a text", param=field)
    return found


def _models(service: Service) -> JSONResponse:
    created = int(time.time())
    base = {"id": service.base_name, "object": "model", "created": created, "owned_by": "adaptd", "parent": None}
    adapters = [
        {**base, "id": name, "root": root, "parent": service.base_name} for name, root in service.adapters().items()
    ]
    return JSONResponse({"object": "list", "data": [{**base, "root": service.base_name}, *adapters]})


def _health(service: Service) -> JSONResponse:
    if not service.alive:
        return JSONResponse(error_body("The model's thread has ended; restart the engine.", 500), 500)
    return JSONResponse({"status": "ok", "waiting": service.waiting, "max_adapters": service.max_adapters})
