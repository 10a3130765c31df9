"""The one thread that owns the model, and the queue before it: micro-batches, deadlines, a bound. No torch here.

Requests that wait for the same adapter are answered together, oldest first: after the first arrives, the thread
listens a few milliseconds for more. Loading goes to the front; unloading keeps its place, so that what was asked
before it is still answered.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from learners.engines.wire import BadRequest


class Overfull(BadRequest):
    """The engine's queue is at its bound.

    To do: come again a little later, or ask less at once.

    Shows as: HTTP 503 from the engine.
    """


class TooLate(BadRequest):
    """The request's deadline passed before its answer was there.

    To do: ask for a shorter answer, or give the engine more threads (`engine.threads`).

    Shows as: HTTP 504 from the engine.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One thing to do by `deadline` (monotonic seconds). Works with the same `batch_key` may be done together."""

    do: str  # generate, score, load, unload
    args: tuple[Any, ...]
    deadline: float
    batch_key: tuple[Any, ...] | None = None
    future: Future[Any] = field(default_factory=Future)

    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.cancelled() or time.monotonic() > self.deadline


Handle = Callable[[list[Work]], None]  # fulfils the future of every work it is given, or raises for all of them


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """`window_s` is how long the first request listens for company; `max_waiting` bounds the queue, in requests."""

    max_batch: int = 64
    window_s: float = 0.004
    max_waiting: int = 1024


class Worker:
    """Starts its thread by `start`; `submit` from any thread."""

    def __init__(self, handle: Handle, limits: WorkerLimits) -> None:
        self._handle = handle
        self._limits = limits
        self._queue: deque[Work] = deque()
        self._arrived = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine-model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def submit(self, work: Work, *, first: bool = False) -> Future[Any]:
        """The work's future. Raises Overfull."""
        with self._arrived:
            if len(self._queue) >= self._limits.max_waiting:
                raise Overfull(f"{len(self._queue)} requests are waiting, the bound; try again later.", 503)
            if first:
                self._queue.appendleft(work)
            else:
                self._queue.append(work)
            self._arrived.notify()
        return work.future

    def close(self) -> None:
        """Ends the thread after the batch at hand; what still waits is refused."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while works := self._next_batch():
            ready = [work for work in works if self._still_wanted(work)]
            if ready:
                self._do(ready)
        for work in self._queue:
            fail(work, Overfull("The engine is stopping; try again.", 503))

    def _do(self, works: list[Work]) -> None:
        try:
            self._handle(works)
        except BadRequest as error:
            for work in works:
                fail(work, error)
        except Exception as error:  # the thread outlives whatever a request does to the model
            for work in works:
                fail(work, BadRequest(f"The engine failed at this request ({type(error).__name__}).", 500))

    def _next_batch(self) -> list[Work]:
        """The oldest work with those that may go with it; empty when closed."""
        with self._arrived:
            while not self._queue and not self._closed:
                self._arrived.wait()
            if self._closed:
                return []
            oldest = self._queue[0]
            if oldest.batch_key is not None:
                self._listen(oldest)
            return self._take(self._queue[0])

    def _listen(self, oldest: Work) -> None:
        until = time.monotonic() + self._limits.window_s
        while not self._closed and self._queue[0] is oldest and self._alike(oldest) < self._limits.max_batch:
            left_s = until - time.monotonic()
            if left_s <= 0 or not self._arrived.wait(left_s):
                return

    def _alike(self, oldest: Work) -> int:
        return sum(work.batch_key == oldest.batch_key for work in self._queue)

    def _take(self, oldest: Work) -> list[Work]:
        if oldest.batch_key is None:
            return [self._queue.popleft()]
        together = [work for work in self._queue if work.batch_key == oldest.batch_key][: self._limits.max_batch]
        taken = set(map(id, together))
        self._queue = deque(work for work in self._queue if id(work) not in taken)
        return together

    def _still_wanted(self, work: Work) -> bool:
        if not work.abandoned():
            return True
        fail(work, too_late())
        return False


def too_late() -> TooLate:
    return TooLate("The request's time is over; the engine is overloaded, try again or ask for less.", 504)


def fail(work: Work, error: Exception) -> None:
    """Hands the error over, unless the one who asked has gone."""
    with suppress(InvalidStateError):
        work.future.set_exception(error)


def fulfil(work: Work, result: Any) -> None:
    """Hands the result over, unless the one who asked has gone."""
    with suppress(InvalidStateError):
        work.future.set_result(result)
