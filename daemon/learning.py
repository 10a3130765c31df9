"""The learn role: base, engine, executor, and the scheduler that carries each task from feedback to a new champion.

One thread ticks all tasks; everything slow runs in worker processes. A task that fails says so in its decision log
and status and never holds up another. After a restart, `_take_over` makes whatever the last daemon left unfinished
ours, or gives it back to be tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection

from daemon.actions.context import EngineRoute
from daemon.batches import Batches
from daemon.config import ANY_TASK, Config, TaskConfig
from daemon.engine_service import EngineService
from daemon.executors import Executor, ExecutorError
from daemon.executors.local import LocalExecutor
from daemon.faults import fault_of
from daemon.jobs import JOBS, Jobs
from daemon.judging import EngineAt, Judging
from daemon.old_bases import find_old_bases, tick_all
from daemon.releasing import Releasing
from daemon.searching import Searching
from daemon.supervisor import Service
from daemon.training import Training
from learners.architectures import check_architecture
from learners.base import base_hash, find_base
from learners.batching import BatchDecision
from learners.errors import LearnerError
from learners.job import Base
from learners.quantization import check_quantization
from storage import buffer, decisions, registry, updates
from storage.artifacts import Artifacts
from storage.errors import StaleUpdate, StorageError
from storage.records import Decision, Update
from storage.store import Store

log = structlog.get_logger(__name__)

TICK_S = 0.25
IDLE_LOOK_S = 1.0  # a batch is looked at this often when nothing new was stored
JOIN_S = 30.0
SILENT_S = 60.0  # a scheduler that has not ticked for so long is not ready


class Learning:
    """Started and stopped by the app; `batch_of`, `routes`, `services` are safe from any thread."""

    def __init__(
        self, store: Store, artifacts: Artifacts, config: Callable[[], Config], clock: Callable[[], datetime]
    ) -> None:
        self._store, self._artifacts, self._config, self._clock = store, artifacts, config, clock
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._stopping, self._soon = threading.Event(), threading.Event()
        self._cancelling: set[int] = set()
        self._troubles: dict[str, str] = {}
        self._ticked_s = time.monotonic()

    def start(self) -> None:
        """Raises BaseMissing, TrainingNotInstalled and NoQuantization before anything runs."""
        executor: Executor = LocalExecutor()
        config = self._config()
        folder = find_base(config.model.base)
        check_architecture(folder)
        check_quantization(config.model.quantization)
        executor.warm()
        base = Base(path=str(folder), hash=base_hash(folder))
        self._engine = EngineService(config, folder, Path(config.storage.artifacts) / "engine")
        self._jobs = Jobs(self._store, Path(config.storage.artifacts) / JOBS, executor, self._config, self._clock)
        self._batches = Batches(self._store, self._clock)
        parts = (self._store, self._artifacts, self._jobs)
        self._training = Training(*parts, base, self._config, self._clock)
        self._old_bases = self._store.read(lambda tx: find_old_bases(tx, self._artifacts, config, base.hash))
        served = (config.release, config.engine.max_adapters, self._clock, self._old_bases)
        self._releasing = Releasing(self._store, self._artifacts, self._engine, *served)
        self._judging = Judging(*parts, self._config, self._clock, self._engine_at)
        artifacts = Path(config.storage.artifacts)
        self._searching = Searching(self._store, artifacts, executor, base, self._config, self._clock)
        self._base = base
        self._store.write(self._take_over)
        self._thread.start()

    def ask_to_end(self) -> None:
        """No more is begun, and workers are told; returns when the tick at hand is over."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)
        if hasattr(self, "_searching"):
            self._searching.stop()
        self._jobs.ask_to_end()

    def wind_down(self, until_s: float) -> None:
        """Wait for the workers, up to then on the monotonic clock; take what is finished, give back what is not."""
        while not self._jobs.ended() and time.monotonic() < until_s:
            time.sleep(0.05)
        for update in self._store.read(updates.unfinished_updates):
            if self._jobs.has(update.update_id):
                self._guarded("stop", lambda update=update: self._conclude(update))  # type: ignore[misc]

    def _conclude(self, update: Update) -> None:
        if update.state == "running":
            self._training.conclude(update)
        else:
            self._jobs.cancel(update.update_id)  # evaluates: the next daemon asks again

    def stop(self) -> None:
        """End workers and engine; a second call does nothing."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)
        for name in ("_batches", "_jobs", "_engine"):
            if hasattr(self, name):
                getattr(self, name).stop()
        for old in getattr(self, "_old_bases", ()):
            old.stop()
        if hasattr(self, "_releasing"):
            self._releasing.close()

    def look_soon(self) -> None:
        """Something was stored or changed: do not wait for the next idle look."""
        self._soon.set()

    def cancel(self, update_id: int) -> None:
        """Asked by an operator; done by the next tick."""
        self._cancelling.add(update_id)
        self._soon.set()

    def begin(self, task: str) -> None:
        """Asked by an operator: an update of what there is, at the next look."""
        self._batches.ask(task)
        self._soon.set()

    def search_of(self, task: str) -> str:
        """What the tuner is at, or waits for, in words."""
        return self._searching.words(task)

    def ticking(self) -> bool:
        return self._thread.is_alive() and time.monotonic() - self._ticked_s < SILENT_S

    def batch_of(self, task: str) -> BatchDecision | None:
        return self._batches.last(task)

    def routes(self) -> Mapping[str, EngineRoute]:
        return self._releasing.routes()

    def services(self) -> Mapping[str, Service]:
        services = [self._engine.service, *(old.service.service for old in self._old_bases)]
        return {service.spec.name: service for service in services}

    def base_hash(self) -> str:
        """Of the present base."""
        return self._base.hash

    def _run(self) -> None:
        idle_since_s = 0.0
        while not self._stopping.is_set():
            looked = self._soon.is_set() or time.monotonic() - idle_since_s >= IDLE_LOOK_S
            if looked:
                self._soon.clear()
                idle_since_s = time.monotonic()
            self._tick(look_at_batches=looked)
            self._ticked_s = time.monotonic()
            self._stopping.wait(TICK_S)

    def _tick(self, *, look_at_batches: bool) -> None:
        self._guarded("engine", lambda: self._engine.tick(time.monotonic()))
        tick_all(self._old_bases, self._guarded, time.monotonic())
        tasks = self._tasks()
        for task in tasks:
            self._guarded(task.name, lambda task=task: self._tick_task(task))  # type: ignore[misc]
            if look_at_batches:  # guarded apart: not every tick looks, and what lasts is to be said once
                self._guarded(f"batch of {task.name}", lambda task=task: self._look_at_batch(task))  # type: ignore[misc]
        if look_at_batches:
            self._guarded("tasks that are gone", lambda: self._end_work_of_others({task.name for task in tasks}))
        self._guarded("release", self._releasing.tick)
        self._guarded("old bases", self._retire_old_bases)
        self._guarded("search", lambda: self._searching.tick(tasks, self._at_work(tasks), look=look_at_batches))

    def _at_work(self, tasks: Sequence[TaskConfig]) -> str:
        """What a search would be in the way of; empty for nothing."""
        for update in self._store.read(updates.unfinished_updates):
            if update.state != "held" or self._jobs.has(update.update_id):
                return f"update {update.update_id} of {update.task} is {update.state}"
        ripe = [task.name for task in tasks if (last := self._batches.last(task.name)) and last.ripe]
        return f"the batch of {ripe[0]} is ripe" if ripe else ""

    def _retire_old_bases(self) -> None:
        for old in self._releasing.retire():
            self._old_bases = [each for each in self._old_bases if each is not old]
            old.stop()
            log.info("the engine of an old base is ended: its tasks have new champions", base=old.hash[:8])

    def _guarded(self, what: str, step: Callable[[], None]) -> None:
        """One part's trouble is logged once, until it changes, and does not stop the others."""
        try:
            step()
        except StaleUpdate:
            return  # it moved on in the meantime; the next tick sees where it stands
        except (StorageError, LearnerError, ExecutorError) as error:
            self._trouble(what, str(error))
        except OSError as error:
            failed = error.strerror or type(error).__name__
            self._trouble(what, f"{error.filename}: {failed}; look at its disk and its rights")
        except Exception as error:
            self._trouble(what, fault_of(error), bug=True)
        else:
            self._troubles.pop(what, None)

    def _trouble(self, what: str, reason: str, *, bug: bool = False) -> None:
        if self._troubles.get(what) != reason:
            self._troubles[what] = reason
            (log.exception if bug else log.error)("scheduler step failed", part=what, reason=reason)

    def _tasks(self) -> list[TaskConfig]:
        config = self._config()
        names = {name for name in config.tasks if name != ANY_TASK}
        if ANY_TASK in config.tasks:
            names |= set(self._store.read(buffer.tasks))
        return [found for name in sorted(names) if (found := config.task(name)) is not None]

    def _tick_task(self, task: TaskConfig) -> None:
        unfinished, held = self._store.read(
            lambda tx: (updates.running_update(tx, task.name), updates.held_update(tx, task.name))
        )
        for update in (unfinished, held):
            if update is not None and self._of_other_base(update):
                self._end_of_other_base(update)
                return
            if update is not None and update.update_id in self._cancelling:
                self._cancel(update)
                return
        if unfinished is not None:
            self._advance(unfinished, held, task)
        elif held is not None:
            self._judging.step(held, task)

    def _of_other_base(self, update: Update) -> bool:
        """Whether it was begun against a champion on a base that is not the present one."""
        champion = self._store.read(lambda tx: registry.get_adapter(tx, update.champion))
        return champion is not None and champion.base_hash != self._base.hash

    def _end_of_other_base(self, update: Update) -> None:
        """Its examples go back, and are learned on the new line."""
        words = "model.base was changed: it belongs to the line of the old base"
        if update.state in ("trained", "held"):
            self._judging.expire(update, words)
        else:
            self._training.cancel(update, words)

    def _advance(self, update: Update, held: Update | None, task: TaskConfig) -> None:
        if update.state == "queued":
            if self._jobs.running < self._config().updates.max_running:
                self._training.start(update, task)
        elif update.state == "running":
            self._training.watch(update)
        elif held is not None:
            self._judging.expire(held, f"{update.candidate} is newer")
        else:
            self._judging.step(update, task)

    def _look_at_batch(self, task: TaskConfig) -> None:
        line = self._store.write(lambda tx: registry.ensure_line(tx, task.name, self._base.hash, self._clock()))
        unfinished = self._store.read(lambda tx: updates.running_update(tx, task.name))  # this tick may have ended it
        self._batches.consider(task, [each.name for each in self._tasks()], line.champion, unfinished)

    def _cancel(self, update: Update) -> None:
        self._cancelling.discard(update.update_id)
        if update.state in ("trained", "held"):
            self._judging.cancel(update)
        else:
            self._training.cancel(update)

    def _end_work_of_others(self, tasks: set[str]) -> None:
        """What nobody watches any more may not go on: the work of a task that was taken out of the config, and the
        judging of a candidate that was promoted by hand."""
        unfinished = self._store.read(updates.unfinished_updates)
        self._jobs.keep_only([update.update_id for update in unfinished])
        for update in unfinished:
            if update.task not in tasks and update.state in ("queued", "running"):
                self._training.cancel(update, "its task was taken out of adaptd.yaml")
            elif update.task not in tasks and self._jobs.has(update.update_id):
                self._jobs.cancel(update.update_id)  # of a candidate: it is judged when the task is back

    def _engine_at(self) -> EngineAt | None:
        url = self._engine.url
        return EngineAt(url, self._releasing.names()) if url else None

    def _take_over(self, tx: Connection) -> None:
        """What the last daemon left running has ended with it; its attempts count as lost."""
        now = self._clock()
        left, jobs = updates.take_over(tx, now)
        for job in jobs:
            updates.change_job(tx, job, "failed", now, error="the daemon ended while the worker ran")
        for update in left:
            reason = f"update {update.update_id} was {update.state} when the daemon ended; it goes on from there"
            decisions.record(tx, Decision(now, "update", reason, update.task, f"update {update.update_id}"))
