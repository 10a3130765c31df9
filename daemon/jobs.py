"""Attempts at the steps of an update: each in a directory of its own, watched for death, silence and overtime.

The store knows every attempt; the handle of a running worker is known only here. After a restart of the daemon no
handle is left, workers have ended with their parent, and what the store still calls running is an attempt lost.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection

from daemon.config import Config
from daemon.executors import Executor, ExecutorError, Handle, JobStatus
from learners.job_files import find_checkpoint, is_copy
from storage import updates
from storage.errors import StaleUpdate, StorageError
from storage.records import Job, JobKind, JobState, Update
from storage.store import Store

log = structlog.get_logger(__name__)

JOBS = "jobs"  # the folder of all attempts, in that of the artifacts


@dataclass(frozen=True)
class Running:
    """The worker is alive and within its limits."""


@dataclass(frozen=True)
class Done:
    """The worker ended by itself and left its result in this directory."""

    directory: Path


@dataclass(frozen=True)
class Crashed:
    """The attempt is over without a result."""

    reason: str


@dataclass(frozen=True)
class Lost:
    """The attempt ended with the daemon that watched it; the batch is not to blame."""

    reason: str


Progress = Running | Done | Crashed | Lost


@dataclass(frozen=True)
class _Attempt:
    job: Job
    handle: Handle


class Jobs:
    """Starts, watches and ends attempts under the folder `root`. Called from the scheduler thread alone."""

    def __init__(
        self,
        store: Store,
        root: Path,
        executor: Executor,
        config: Callable[[], Config],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._root, self._executor = store, root, executor
        self._config, self._clock = config, clock
        self._attempts: dict[int, _Attempt] = {}
        self._begun: set[int] = set()  # updates that this daemon has tried

    @property
    def running(self) -> int:
        return len(self._attempts)

    def has(self, update_id: int) -> bool:
        """Whether a worker of this daemon is at it."""
        return update_id in self._attempts

    def start(self, update: Update, kind: JobKind, write: Callable[[Path, int], None]) -> None:
        """Make the directory, let `write(directory, attempt)` fill it, hand it to the executor."""
        now = self._clock()
        earlier = self._store.read(lambda tx: updates.list_jobs(tx, update.update_id))
        attempt = 1 + sum(job.kind == kind for job in earlier)
        name = f"u{update.update_id}-{kind}-{attempt}"
        directory = self._root / name
        shutil.rmtree(directory, ignore_errors=True)  # left by a daemon that died before it wrote the attempt down
        directory.mkdir(parents=True)
        write(directory, attempt)
        try:
            handle = self._executor.submit(directory)
        except ExecutorError:  # it is tried again at the next tick; nothing may pile up until then
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self._begun.add(update.update_id)

        def put_down(tx: Connection) -> Job:
            job = updates.create_job(tx, update.update_id, kind, attempt, update.lease_epoch, name, now)
            return updates.change_job(tx, job, "running", now)

        try:
            job = self._store.write(put_down)
        except StorageError:
            self._executor.cancel(handle)  # nobody would watch it
            raise
        self._attempts[update.update_id] = _Attempt(job, handle)

    def look(self, update: Update) -> Progress:
        """Where the update's attempt stands; an ended one is written down and forgotten."""
        attempt = self._attempts.get(update.update_id)
        if attempt is None:
            if update.update_id in self._begun:
                return Crashed("its result could not be used; the log says why")
            return Lost("the daemon was restarted while the worker ran")
        status = self._executor.poll(attempt.handle)
        reason = status.reason if status.state == "crashed" else self._silent(status)
        if status.state == "running" and reason is None:
            return Running()
        if status.state == "running":
            self._executor.cancel(attempt.handle)
        self._close(attempt.job, "failed" if reason else "done", reason)
        del self._attempts[update.update_id]  # last: a store that is away for a moment must not cost a finished attempt
        return Crashed(reason) if reason else Done(self._executor.fetch(attempt.handle))

    def cancel(self, update_id: int) -> None:
        """End the worker and its group, if there is one."""
        attempt = self._attempts.pop(update_id, None)
        if attempt is not None:
            self._executor.cancel(attempt.handle)
            self._close(attempt.job, "cancelled", "cancelled")

    def keep_only(self, update_ids: Collection[int]) -> None:
        """End the workers of all other updates: those have ended without them, as by a promotion by hand."""
        for gone in self._attempts.keys() - set(update_ids):
            self.cancel(gone)

    def ask_to_end(self) -> None:
        """Tell every worker that the daemon is stopping; `ended` says when they have."""
        for attempt in self._attempts.values():
            self._executor.ask_to_end(attempt.handle)

    def ended(self) -> bool:
        """Whether no worker of this daemon runs any more."""
        return all(self._executor.poll(attempt.handle).state != "running" for attempt in self._attempts.values())

    def left_off(self, update: Update) -> Path | None:
        """The directory of its last train attempt, when that one left a checkpoint to go on from.

        After a crash only when the attempt had come further than the one before: what it was given may be the cause.
        """
        earlier = self._store.read(lambda tx: updates.list_jobs(tx, update.update_id))
        trained = [job for job in earlier if job.kind == "train"]
        if not trained or trained[-1].state not in ("cancelled", "failed"):
            return None
        folder = self._root / trained[-1].directory
        found = find_checkpoint(folder)
        if found is None or (trained[-1].state == "failed" and is_copy(found)):
            return None
        return folder

    def finished(self, update_id: int) -> bool:
        """Whether its worker has ended by itself with a result."""
        attempt = self._attempts.get(update_id)
        return attempt is not None and self._executor.poll(attempt.handle).state == "done"

    def give_up(self, update_id: int) -> None:
        """End the worker, without holding it against the batch: `look` calls it lost from now on."""
        self.cancel(update_id)
        self._begun.discard(update_id)

    def stop(self) -> None:
        """End every worker; the next daemon tries them again."""
        self._executor.close()
        self._attempts.clear()

    def _silent(self, status: JobStatus) -> str | None:
        limit_s = self._config().updates.heartbeat_limit
        if status.state == "running" and status.heartbeat_age_s is not None and status.heartbeat_age_s > limit_s:
            return f"no heartbeat for {status.heartbeat_age_s:.0f} s (updates.heartbeat_limit is {limit_s:.0f} s)"
        return None

    def _close(self, job: Job, state: JobState, error: str | None) -> None:
        with suppress(StaleUpdate):  # whoever leads it now has written it down
            self._store.write(lambda tx: updates.change_job(tx, job, state, self._clock(), error=error))
