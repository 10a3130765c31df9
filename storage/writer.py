"""The one thread that writes, with the one connection that can.

Why: SQLite has one writer anyway, and syncing is what costs. Steps that wait together are committed together
(group commit): one BEGIN IMMEDIATE, a savepoint each, one sync. A step that raises is undone and its error goes to
its caller alone. When the disk or the commit fails, all of the group is undone and every caller gets
StoreUnavailable; so it does when the file is no longer in its place. The queue is bounded in bytes; who finds it full
waits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from storage.dialects import sqlite
from storage.errors import StorageError, StoreBusy, StoreUnavailable

T = TypeVar("T")
Step = Callable[[Connection], Any]

GROUP_STEPS = 64
GROUP_BYTES = 16 * 2**20
STEP_BYTES = 256  # what a step is charged at least, so that small ones are bounded too
IDLE_S = 5.0  # without work for this long, the log is copied back and emptied


@dataclass(eq=False)
class _Waiting:
    step: Step
    size_bytes: int
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Owns the engine and the thread; `close` finishes what is queued."""

    def __init__(self, engine: Engine, queue_bytes: int, misplaced: Callable[[], str] = lambda: "") -> None:
        """`misplaced` says why what is committed would be lost; empty where it would not."""
        self._engine, self._queue_bytes, self._misplaced = engine, queue_bytes, misplaced
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._dirty = False  # something was committed since the log was last emptied
        self.trouble = ""  # why the last group failed; empty when it did not
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    def submit(self, step: Callable[[Connection], T], size_bytes: int, timeout_s: float | None) -> T:
        """Run the step; returns after the commit. Raises the step's own error, StoreUnavailable or StoreBusy."""
        if threading.current_thread() is self._thread:
            raise StorageError("a step tried to start another write; do both in one step")
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = _Waiting(step, max(size_bytes, STEP_BYTES))
        self._enqueue(waiting, deadline)
        return self._result(waiting, deadline)  # type: ignore[no-any-return]

    def _enqueue(self, waiting: _Waiting, deadline: float | None) -> None:
        with self._changed:
            while self._queue and self._queued_bytes + waiting.size_bytes > self._queue_bytes and not self._closing:
                if not self._changed.wait(_left(deadline)):
                    raise StoreBusy("the store's queue stayed full; it did nothing, try again later")
            if self._closing:
                raise StoreUnavailable("the store is closed")
            self._queue.append(waiting)
            self._queued_bytes += waiting.size_bytes
            self._changed.notify_all()

    def _result(self, waiting: _Waiting, deadline: float | None) -> Any:
        """A step that has begun is waited for, since its outcome matters; one that has not is taken back."""
        try:
            return waiting.future.result(_left(deadline))
        except FutureTimeout:  # ours, or the step's own: then it is done, and neither cancels nor waits
            if waiting.future.cancel():
                self._discard(waiting)
                raise StoreBusy("the store was busy for too long; it did nothing, try again later") from None
            return waiting.future.result()

    def _discard(self, waiting: _Waiting) -> None:
        with self._changed:
            if waiting in self._queue:
                self._queue.remove(waiting)
                self._queued_bytes -= waiting.size_bytes
                self._changed.notify_all()

    def close(self) -> None:
        """Finish what is queued, empty the log, end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if group:
                self._commit(group)
            elif self._dirty:
                self._empty_log()
            if self._closing and not self._queue and not self._dirty:
                return

    def _next_group(self) -> list[_Waiting]:
        """What waits, up to the limits of one transaction; empty after IDLE_S without work, or when closing."""
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(IDLE_S if self._dirty else None)
            group: list[_Waiting] = []
            size = 0
            while self._queue and len(group) < GROUP_STEPS and (not group or size < GROUP_BYTES):
                waiting = self._queue.popleft()
                self._queued_bytes -= waiting.size_bytes
                if waiting.future.set_running_or_notify_cancel():
                    group.append(waiting)
                    size += waiting.size_bytes
            self._changed.notify_all()
            return group

    def _commit(self, group: list[_Waiting]) -> None:
        if self._refused(group):  # before anything is written, and before a connection makes a new, empty file
            return
        try:
            outcomes = self._transact(group)
        except BaseException as error:  # the thread must outlive anything; each caller hears of it
            self.trouble = f"the store cannot write: {sqlite.describe(error)}; look at the disk it lies on"
            for waiting in group:
                waiting.future.set_exception(_unavailable(self.trouble, error))
            return
        self.trouble, self._dirty = "", True
        if self._refused(group):
            return
        for waiting, (result, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                waiting.future.set_result(result)
            else:
                waiting.future.set_exception(failure)

    def _refused(self, group: list[_Waiting]) -> bool:
        """Whether all of it was, since the file is not in its place."""
        if trouble := self._misplaced():
            for waiting in group:
                waiting.future.set_exception(StoreUnavailable(trouble))
        return bool(trouble)

    def _transact(self, group: list[_Waiting]) -> list[tuple[Any, BaseException | None]]:
        with self._engine.connect() as connection:
            try:
                with connection.begin():
                    return [_attempt(connection, waiting.step) for waiting in group]
            except BaseException:
                connection.invalidate()  # a connection that failed once is not trusted again
                raise

    def _empty_log(self) -> None:
        self._dirty = False
        try:
            sqlite.checkpoint(self._engine)
        except Exception as error:  # a reader at work, or the disk: the next commit will tell
            self.trouble = self.trouble if not sqlite.is_outage(error) else f"checkpoint: {sqlite.describe(error)}"


def _attempt(connection: Connection, step: Step) -> tuple[Any, BaseException | None]:
    """One step in its savepoint. An outage is raised, and ends the group: SQLite may have rolled all of it back."""
    try:
        with connection.begin_nested():
            return step(connection), None
    except BaseException as error:
        if sqlite.is_outage(error) or not sqlite.in_transaction(connection):
            raise
        return None, error


def _unavailable(text: str, cause: BaseException) -> StoreUnavailable:
    error = StoreUnavailable(text)
    error.__cause__ = cause
    return error


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
