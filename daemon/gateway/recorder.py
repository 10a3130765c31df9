"""Interactions on their way to the daemon's `POST /v1/events`: in the background, in batches, over a bounded queue.

Best effort: what the daemon turns away for now (429, 503, no answer) waits and is sent again, which is safe because
the event id is its guard; when the queue is at its bound, new interactions are dropped and counted. `record_now` is
the other way, for those who want the answer to wait until it is stored.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog

from daemon.gateway.measures import Measures
from daemon.gateway.routes import Route
from daemon.gateway.settings import GatewaySettings
from learners.engines.wire import ChatRequest, Sampling
from learners.rendering import as_chat

BATCH_EVENTS = 100
BATCH_BYTES = 2**20
GATHER_S = 0.02
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
SEND_TIMEOUT_S = 15.0

log = structlog.get_logger(__name__)


class NotRecorded(Exception):
    """The daemon did not take the interactions. `again`: sending them later may help; `too_big`: fewer at once may."""

    def __init__(self, reason: str, *, again: bool, too_big: bool = False, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.too_big = too_big
        self.reason = reason
        self.again = again
        self.after_s = after_s


def interaction_event(
    interaction_id: str,
    route: Route,
    asked: ChatRequest,
    *,
    response: str,
    finish_reason: str | None,
    user_id: str | None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """The event that says what was asked and answered; fields without a value are left out."""
    event = {
        "schema": 1,
        "event_id": interaction_id,
        "occurred_at": (at or datetime.now(UTC)).isoformat(),
        "kind": "interaction",
        "task": route.task,
        "app": "gateway",
        "interaction_id": interaction_id,
        "user_id": user_id,
        "messages": as_chat(asked.messages),
        "response": response,
        "model": route.engine_model,
        "adapter": route.adapter,
        "finish_reason": finish_reason,
        "sampling": _plain_sampling(asked.sampling),
    }
    return {name: value for name, value in event.items() if value is not None}


class Recorder:
    """Owns the queue; `run` is its loop, all on one event loop."""

    def __init__(self, api_url: str, http: httpx.AsyncClient, measures: Measures, settings: GatewaySettings) -> None:
        self._url = f"{api_url}/v1/events"
        self._http = http
        self._measures = measures
        self._settings = settings
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._most_at_once = BATCH_EVENTS
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def record_later(self, event: dict[str, Any]) -> None:
        """Queues the event, or drops and counts it when the queue is at its bound."""
        data = _encode(event)
        full = len(self._queue) >= self._settings.record_queue
        if full or self._queued_bytes + len(data) > self._settings.record_queue_bytes:
            self._drop(1, "queue full")
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._idle.clear()
        self._arrived.set()
        self._measures.record_waiting.set(len(self._queue))

    async def record_now(self, event: dict[str, Any]) -> None:
        """Returns when the daemon has stored it. Raises NotRecorded."""
        try:
            await self._send([_encode(event)])
        except NotRecorded as error:
            self._measures.record_errors.labels(error.reason).inc()
            raise

    async def run(self) -> None:
        """Sends what is queued, oldest first, for ever; cancel it to end."""
        pause_s = FIRST_PAUSE_S
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GATHER_S)
            batch = self._head()
            try:
                await self._send(batch)
            except NotRecorded as error:
                self._measures.record_errors.labels(error.reason).inc()
                if error.too_big and len(batch) > 1:
                    self._most_at_once = len(batch) // 2
                    continue
                if error.again:
                    await asyncio.sleep(max(pause_s, error.after_s))
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    continue
                self._drop(len(batch), error.reason)
            pause_s, self._most_at_once = FIRST_PAUSE_S, BATCH_EVENTS
            self._forget(batch)

    async def flush(self, timeout_s: float) -> None:
        """Waits until nothing is queued, at most that long; what is left is dropped and counted."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            self._drop(len(self._queue), "stopped")

    def _head(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        for data in self._queue:
            size += len(data)
            if batch and (size > BATCH_BYTES or len(batch) == self._most_at_once):
                break
            batch.append(data)
        return batch

    def _forget(self, batch: list[bytes]) -> None:
        for data in batch:
            self._queue.popleft()
            self._queued_bytes -= len(data)
        self._measures.record_waiting.set(len(self._queue))
        if not self._queue:
            self._arrived.clear()
            self._idle.set()

    async def _send(self, batch: list[bytes]) -> None:
        body = b"[" + b",".join(batch) + b"]"
        headers = {"content-type": "application/json"}
        try:
            answer = await self._http.post(self._url, content=body, headers=headers, timeout=SEND_TIMEOUT_S)
        except httpx.HTTPError as error:
            raise NotRecorded("unreachable", again=True) from error
        if answer.is_success:
            self._count(answer, len(batch))
            return
        again = answer.status_code in (408, 429) or answer.status_code >= 500
        reason, too_big = f"status {answer.status_code}", answer.status_code == 413
        raise NotRecorded(reason, again=again, too_big=too_big, after_s=_retry_after_s(answer))

    def _count(self, answer: httpx.Response, sent: int) -> None:
        """Dead letters are interactions that the daemon kept no answer of: counted as dropped."""
        try:
            dead = len(answer.json().get("dead_letters", []))
        except (ValueError, AttributeError, TypeError):
            dead = 0
        self._measures.recorded.inc(max(0, sent - dead))
        if dead:
            self._drop(dead, "dead letter")

    def _drop(self, count: int, reason: str) -> None:
        self._measures.record_dropped.labels(reason).inc(count)
        log.warning("gateway.interactions_dropped", count=count, reason=reason)


def _encode(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _plain_sampling(sampling: Sampling) -> dict[str, Any]:
    plain = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    return {name: value for name, value in plain.items() if value is not None}


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return min(max(0.0, float(answer.headers.get("retry-after", "0"))), LONGEST_PAUSE_S)
    except ValueError:
        return 0.0
