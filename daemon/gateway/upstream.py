"""The request to the engine that a route names. Only what the gateway understood is sent on: what is recorded is what
was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from daemon.gateway.routes import Route
from learners.engines.wire import BadRequest, ChatRequest
from learners.rendering import as_chat


class StaleRoute(BadRequest):
    """The engine no longer knows the model that the route names.

    To do: ask again; the gateway has asked for the new route by itself once before it says this.

    Shows as: HTTP 503 from the gateway.
    """


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """What the engine said: one choice, and its counts of tokens as it gave them."""

    text: str
    finish_reason: str | None
    usage: dict[str, Any]


async def ask_engine(http: httpx.AsyncClient, route: Route, asked: ChatRequest, timeout_s: float) -> UpstreamAnswer:
    """One answer. Raises StaleRoute, or BadRequest with the status to pass on (its words are the engine's)."""
    address = f"{route.engine_url.rstrip('/')}/v1/chat/completions"
    try:
        async with asyncio.timeout(timeout_s):  # httpx bounds single reads, and so no reply that drips
            answer = await http.post(address, json=_body(route, asked), timeout=timeout_s)
    except (httpx.TimeoutException, TimeoutError):
        raise BadRequest(f"The engine did not answer within {timeout_s:g} s; try again or ask for less.", 504) from None
    except httpx.HTTPError:
        raise BadRequest("The engine cannot be reached; see `adaptd status`, and try again.", 503) from None
    if answer.status_code == 404:
        raise StaleRoute("The engine no longer serves that adapter; try again.", 503)
    if not answer.is_success:
        raise BadRequest(_reason(answer), answer.status_code if answer.status_code < 500 else _as_ours(answer))
    return _read(answer)


def _body(route: Route, asked: ChatRequest) -> dict[str, Any]:
    sampling = asked.sampling
    optional = {"max_tokens": sampling.max_tokens, "seed": sampling.seed}
    return {
        "model": route.engine_model,
        "messages": as_chat(asked.messages),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _as_ours(answer: httpx.Response) -> int:
    """503 and 504 say what they are; any other fault of the engine is a bad gateway."""
    return answer.status_code if answer.status_code in (503, 504) else 502


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"The engine answered {answer.status_code}."


def _read(answer: httpx.Response) -> UpstreamAnswer:
    try:
        found = answer.json()
        choice = found["choices"][0]
        return UpstreamAnswer(choice["message"]["content"] or "", choice["finish_reason"], found.get("usage") or {})
    except (ValueError, KeyError, IndexError, TypeError):
        raise BadRequest("The engine's answer could not be read; is it an OpenAI-compatible one?", 502) from None
