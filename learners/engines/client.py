"""The client of an engine: generate, score, load, unload, list, health. No torch; used by evaluation and release.

It speaks the OpenAI API with vLLM's load and unload, plus `/v1/score`, which the local engine has. Requests go out
concurrently, because engines batch what waits together. A full queue (503) is tried again until `timeout_s` is over.
An HTTPS engine is checked against the system's certificates.

Limit: `timeout_s` bounds each read, so an engine that drips its reply is waited for until it is whole. The engine is
a worker that adaptd starts, which sends a reply at once; whoever else is asked, is asked by `learners.over_http`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from learners.engines.errors import EngineBusy, EngineRefused, EngineUnreachable
from learners.engines.wire import Sampling
from learners.rendering import as_chat
from storage.records import Message

T = TypeVar("T")
CONCURRENT = 128  # twice the local engine's batch: one batch waits while another is answered
BAD_REQUEST = 400
SCORE_CHUNK = 64  # items in one request to `/v1/score`
LONGEST_PAUSE_S = 5.0
REMEDIES = {  # what helps, by HTTP status
    401: "Give the engine's key, or leave the engine open on a private address.",
    404: "Load the adapter first, or see whether this engine has adapters switched on.",
    409: "Names are immutable: load the other files under a new name.",
    413: "Send less at once.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. `tokens` counts what was generated, the stop token included."""

    text: str
    finish_reason: str  # stop or length
    tokens: int


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely a model holds a completion: `nll` is the sum over its tokens, in nats, the stop token included.

    `entropy` is the mean entropy of the model's next-token distribution over the same tokens, in nats; None where the
    engine does not tell.
    """

    nll: float
    tokens: int
    entropy: float | None = None


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A name that the engine answers to. The base has no `parent`; an adapter's `root` is the folder it came from."""

    name: str
    root: str | None
    parent: str | None


class EngineClient:
    """One engine at `url` (such as http://127.0.0.1:8001). Safe to share between threads; `close` it, or use `with`.

    `timeout_s` bounds a request, waiting and trying again included. Raises EngineUnreachable when there is no
    answer, EngineBusy when the queue stays full, and EngineRefused when the engine will not.
    """

    def __init__(self, url: str, timeout_s: float = 120.0, concurrent: int = CONCURRENT) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._concurrent = concurrent
        limits = httpx.Limits(max_connections=concurrent, max_keepalive_connections=concurrent)
        self._http = httpx.Client(base_url=self.url, limits=limits, timeout=timeout_s, trust_env=False)

    def generate(
        self, model: str, prompts: Sequence[Sequence[Message]], sampling: Sampling | None = None
    ) -> list[Answer]:
        """One answer a prompt, in their order. With a seed, prompt number i is drawn with `seed + i`."""
        sampling = sampling or Sampling()
        return self._side_by_side(lambda at: self._answer(model, prompts[at], sampling, at), len(prompts))

    def generate_what_fits(
        self, model: str, prompts: Sequence[Sequence[Message]], sampling: Sampling | None = None
    ) -> list[Answer | None]:
        """As `generate`, with None for a prompt that the engine refuses as it is, such as one beyond its context.

        Where it refuses every one, the fault is not the prompts': raises EngineRefused.
        """
        sampling = sampling or Sampling()
        said = self._side_by_side(lambda at: self._answer_or_refusal(model, prompts[at], sampling, at), len(prompts))
        refusals = [one for one in said if isinstance(one, EngineRefused)]
        if said and len(refusals) == len(said):
            raise refusals[0]
        return [None if isinstance(one, EngineRefused) else one for one in said]

    def score(self, model: str, items: Sequence[tuple[Sequence[Message], str]]) -> list[Scored]:
        """The likelihood of each (messages, completion) under the model, in their order; all must fit the context."""
        scored = [one for one in self.score_what_fits(model, items) if one is not None]
        if len(scored) < len(items):
            raise EngineRefused(
                400,
                f"{len(items) - len(scored)} of {len(items)} items are longer than the context of the engine at "
                f"{self.url}",
                "Send shorter ones.",
            )
        return scored

    def score_what_fits(self, model: str, items: Sequence[tuple[Sequence[Message], str]]) -> list[Scored | None]:
        """As `score`, with None for an item that is longer than the engine's context."""
        starts = range(0, len(items), SCORE_CHUNK)
        chunks = self._side_by_side(
            lambda at: self._scores(model, items[starts[at] : starts[at] + SCORE_CHUNK]), len(starts)
        )
        return [scored for chunk in chunks for scored in chunk]

    def models(self) -> list[EngineModel]:
        """All names that can be asked, the base first."""
        listed = self._json("GET", "/v1/models")["data"]
        return [EngineModel(m["id"], m.get("root"), m.get("parent")) for m in listed]

    def load(self, name: str, path: Path | str) -> None:
        """Load the adapter in that folder (as the engine's machine sees it) under an immutable name."""
        self._request("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path)})

    def unload(self, name: str) -> None:
        """Forget an adapter; requests that were already waiting for it are still answered by the local engine."""
        self._request("POST", "/v1/unload_lora_adapter", {"lora_name": name})

    def health(self) -> None:
        """Returns when the engine is ready to answer; raises EngineUnreachable or EngineRefused otherwise."""
        self._request("GET", "/health")

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer_or_refusal(
        self, model: str, messages: Sequence[Message], sampling: Sampling, at: int
    ) -> Answer | EngineRefused:
        try:
            return self._answer(model, messages, sampling, at)
        except EngineRefused as refusal:
            if refusal.status != BAD_REQUEST:
                raise
            return refusal

    def _answer(self, model: str, messages: Sequence[Message], sampling: Sampling, at: int) -> Answer:
        asked: dict[str, Any] = {
            "model": model,
            "messages": as_chat(messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if sampling.max_tokens is not None:
            asked["max_tokens"] = sampling.max_tokens
        if sampling.seed is not None:
            asked["seed"] = sampling.seed + at
        found = self._json("POST", "/v1/chat/completions", asked)
        choice = found["choices"][0]
        return Answer(choice["message"]["content"] or "", choice["finish_reason"], found["usage"]["completion_tokens"])

    def _scores(self, model: str, items: Sequence[tuple[Sequence[Message], str]]) -> list[Scored | None]:
        asked = [{"messages": as_chat(messages), "completion": completion} for messages, completion in items]
        results = self._json("POST", "/v1/score", {"model": model, "items": asked})["results"]
        return [r and Scored(r["nll"], r["tokens"], r.get("entropy")) for r in results]

    def _side_by_side(self, ask: Callable[[int], T], count: int) -> list[T]:
        if not count:
            return []
        with ThreadPoolExecutor(min(count, self._concurrent), "engine-client") as pool:
            return list(pool.map(ask, range(count)))

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._request(method, path, body)
        try:
            return answer.json()
        except ValueError:
            raise EngineUnreachable(f"{self.url}{path} did not answer with JSON; is this an engine?") from None

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Tries again while the engine is full, until `timeout_s` is over; a refusal is final."""
        until = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._once(method, path, body, max(0.1, until - time.monotonic()))
            except EngineBusy as busy:
                pause_s = min(busy.retry_after_s, LONGEST_PAUSE_S)
                if time.monotonic() + pause_s >= until:
                    raise
                time.sleep(pause_s)

    def _once(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body, timeout=timeout_s)
        except httpx.TimeoutException:
            raise EngineUnreachable(
                f"The engine at {self.url} did not answer {path} within {self._timeout_s:g} s; is it overloaded?"
            ) from None
        except httpx.HTTPError as error:
            raise EngineUnreachable(
                f"The engine at {self.url} cannot be reached ({type(error).__name__}); see whether it is running."
            ) from None
        if answer.is_success:
            return answer
        raise self._refusal(path, answer)

    def _refusal(self, path: str, answer: httpx.Response) -> EngineBusy | EngineRefused | EngineUnreachable:
        what = f"The engine at {self.url} answered {answer.status_code} to {path}: {_reason(answer)}"
        if answer.status_code == 503:
            return EngineBusy(what, _retry_after_s(answer))
        if answer.status_code >= 500:
            return EngineUnreachable(what)
        return EngineRefused(answer.status_code, what, REMEDIES.get(answer.status_code, ""))


def _reason(answer: httpx.Response) -> str:
    """The engine's own words (ours and vLLM's carry no user text), at most 300 characters."""
    try:
        found = answer.json()
        error = found.get("error", found)
        return str(error.get("message", "") if isinstance(error, dict) else error)[:300]
    except (ValueError, AttributeError):
        return answer.text[:300]


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return max(0.05, float(answer.headers.get("retry-after", "1")))
    except ValueError:
        return 1.0
