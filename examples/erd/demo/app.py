"""The simulated app: asks the gateway for diagrams and sends what users say of them as events of their own.

It knows two addresses and nothing else of adaptd. Most feedback goes out a moment after the answer, some seconds
late; for one question in ten the app records the interaction itself, after the feedback on it, so that feedback comes
first. Everything is counted, because what was sent must be what the daemon says it has.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from openai import OpenAI, OpenAIError

from examples.erd.demo.users import User, feedback, people
from examples.erd.world import BEFORE, Pool, Wish, entity_lists, prompt_of

TASK = "erd"
AT_ONCE = 8
ANSWER_TOKENS = 256
LATE_S = 5.0
OWN_RECORD_SHARE = 0.1


@dataclass
class Sent:
    """What the app has done so far."""

    questions: int = 0
    failed: int = 0
    events: int = 0
    late: int = 0
    early: int = 0


@dataclass(order=True)
class _Due:
    at_s: float
    order: int
    event: dict[str, Any] = field(compare=False)


class App:
    """Runs in threads of its own between `start` and `stop`; `wish` may be changed at any time."""

    def __init__(self, client: OpenAI, api_url: str, *, seed: int, per_second: float, with_hostile: bool) -> None:
        self.wish: Wish = BEFORE
        self.sent = Sent()
        self._client, self._per_second = client, per_second
        self._http = httpx.Client(base_url=api_url, timeout=30, trust_env=False)
        self._users = people(with_hostile=with_hostile)
        self._lists = entity_lists(Pool.EVENTS, seed)
        self._rng = random.Random(f"app:{seed}")
        self._due: list[_Due] = []
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in (self._ask_loop, self._send_loop)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send what is due, then end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        self._http.close()

    def _ask_loop(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            next_s = time.monotonic()
            while not self._stopping.is_set():
                user, prompt = self._rng.choice(self._users), prompt_of(next(self._lists))
                pool.submit(self._ask, user, prompt, random.Random(self._rng.random()))
                next_s = max(next_s + 1 / self._per_second, time.monotonic() - 1)
                self._stopping.wait(max(0.0, next_s - time.monotonic()))

    def _ask(self, user: User, prompt: str, rng: random.Random) -> None:
        own_record = rng.random() < OWN_RECORD_SHARE
        try:
            answered = self._client.chat.completions.create(
                model=TASK,
                messages=[{"role": "user", "content": prompt}],
                user=user.name,
                temperature=0,
                max_tokens=ANSWER_TOKENS,
                extra_headers={"x-adaptd-record": "none"} if own_record else {},
            )
        except OpenAIError:
            self.sent.failed += 1
            return
        self.sent.questions += 1
        more = answered.model_extra or {}
        said = more["adaptd"]
        text = answered.choices[0].message.content or ""
        if own_record:
            own = {"kind": "interaction", "prompt": prompt, "response": text, "adapter": said["adapter"]}
            self._later(user, said["interaction_id"], own, delay_s=2.0)
        for part in feedback(user, prompt, text, self.wish, rng):
            late = rng.random() < 0.1
            self._count(late=late, early=own_record)
            self._later(user, said["interaction_id"], part, delay_s=LATE_S if late else 0.1)

    def _count(self, *, late: bool, early: bool) -> None:
        self.sent.late += late
        self.sent.early += early and not late

    def _later(self, user: User, interaction_id: str, part: dict[str, Any], delay_s: float) -> None:
        event = {
            "schema": 1,
            "event_id": str(uuid.uuid4()),
            "occurred_at": datetime.now(UTC).isoformat(),
            "task": TASK,
            "app": "demo",
            "user_id": user.name,
            **({} if "prompt" in part and part["kind"] != "interaction" else {"interaction_id": interaction_id}),
            **part,
        }
        with self._lock:
            heapq.heappush(self._due, _Due(time.monotonic() + delay_s, len(self._due), event))

    def _send_loop(self) -> None:
        while not (self._stopping.wait(0.2) and not self._due):
            events = self._take_due(everything=self._stopping.is_set())
            if events:
                self._post(events)

    def _take_due(self, *, everything: bool) -> list[dict[str, Any]]:
        found = []
        with self._lock:
            while self._due and (everything or self._due[0].at_s <= time.monotonic()):
                found.append(heapq.heappop(self._due).event)
        return found

    def _post(self, events: list[dict[str, Any]]) -> None:
        """Sending again is always safe: the ids stay the same."""
        for _ in range(10):
            try:
                answer = self._http.post("/v1/events", json=events)
            except httpx.HTTPError:
                time.sleep(0.5)
                continue
            if answer.status_code in (200, 422):
                self.sent.events += len(events)
                return
            time.sleep(0.5)
        self.sent.failed += len(events)
