"""An update's training: from a reserved pool to a published candidate, or back to the pool with a reason.

The daemon only writes the job and reads the result; the work is a worker's (`learners.training`). The trainer sees
the train and dev folds and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog
from sqlalchemy import Connection

from consumers.rewards import decay, normalise
from daemon.config import Config, TaskConfig
from daemon.jobs import Crashed, Done, Jobs, Lost, Running
from daemon.methods_on import methods_on
from learners import job as contract
from learners.job_files import read_job, read_result, read_rows, write_job, write_rows
from learners.methods.sft import steps_for
from learners.replay import StartChoice, StartEvidence, choose_start, sample_replay
from learners.router import route, rows_of
from storage import buffer, decisions, registry, updates
from storage.artifacts import Artifacts
from storage.errors import StorageError
from storage.records import Adapter, Decision, Origin, Row, Update
from storage.store import Store

log = structlog.get_logger(__name__)

MOST_LEARNED = 2000  # learned examples that replay is drawn from
MOST_DEV = 200
_HOW = {True: "goes on from its checkpoint", False: "starts anew"}


@dataclass(frozen=True)
class _Material:
    """What one attempt is made of."""

    batch: tuple[Row, ...]
    learned: tuple[Row, ...]
    dev: tuple[Row, ...]
    champion: Adapter
    version: int


class Training:
    """Steps of the updates that are queued or running. Called from the scheduler thread alone."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        jobs: Jobs,
        base: contract.Base,
        config: Callable[[], Config],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._artifacts, self._jobs, self._base = store, artifacts, jobs, base
        self._config, self._clock = config, clock

    def start(self, update: Update, task: TaskConfig) -> None:
        """Queued to running."""
        now = self._clock()
        material = self._store.read(lambda tx: self._gather(tx, update, task, now))
        if not material.batch:
            self._fail(update, "nothing of the batch can be learned any more: it was retracted or aged out")
            return
        candidate = f"{update.task}@v{material.version}"
        choice = self._choose(material, task)
        if (left := self._left_off(update, material, candidate)) is not None:
            self._jobs.start(update, "train", partial(_go_on, left))
            report = {**update.report, "resumed": f"from the checkpoint of {left.name}"}
        else:
            self._jobs.start(
                update,
                "train",
                lambda folder, attempt: self._write(folder, attempt, update, task, material, choice, candidate),
            )
            report = {**update.report, "start": choice.reason, "learners": task.learners.model_dump()}
        size = len({row.origin.interaction_id for row in material.batch})
        try:
            self._store.write(
                lambda tx: updates.change_update(
                    tx, update, "running", now, candidate=candidate, batch_size=size, report=report
                )
            )
        except StorageError:
            self._jobs.cancel(update.update_id)  # else it would train unwatched, and hold up all others
            raise

    def watch(self, update: Update) -> None:
        """Running to trained, back to queued, or failed."""
        progress = self._jobs.look(update)
        if isinstance(progress, Crashed):
            self._retry(update, progress.reason)
        elif isinstance(progress, Lost):
            self._queue_again(update, update.attempts, progress.reason)
        elif isinstance(progress, Done):
            self._finish(update, progress.directory)
        else:
            assert isinstance(progress, Running)

    def conclude(self, update: Update) -> None:
        """The daemon stops: an attempt that has ended is taken as it is, any other goes back to be tried again."""
        if self._jobs.finished(update.update_id):
            self.watch(update)
            return
        self._jobs.give_up(update.update_id)
        kept = self._jobs.left_off(update) is not None
        words = f"the daemon was stopped while the worker trained; the next attempt {_HOW[kept]}"
        log.info("update given back", update=update.update_id, task=update.task, reason=words)
        self._queue_again(update, update.attempts, words)

    def cancel(self, update: Update, words: str = "cancelled by hand") -> None:
        """The worker is ended and the examples go back."""
        self._jobs.cancel(update.update_id)
        now = self._clock()

        def change(tx: Connection) -> None:
            buffer.release(tx, update.update_id, [], "cancelled")
            updates.change_update(tx, update, "cancelled", now, reason=words)
            decisions.record(tx, Decision(now, "update", words, update.task, f"update {update.update_id}"))

        self._store.write(change)

    def _left_off(self, update: Update, material: _Material, candidate: str) -> Path | None:
        """The attempt to go on with: its checkpoint is of this candidate and base, and no row of it was withdrawn."""
        folder = self._jobs.left_off(update)
        if folder is None:
            return None
        job, known = read_job(folder), {row.origin for row in (*material.batch, *material.learned)}
        same = isinstance(job, contract.TrainJob) and (job.candidate, job.base) == (candidate, self._base)
        return folder if same and {row.origin for row in read_rows(folder / contract.ROWS)} <= known else None

    def _gather(self, tx: Connection, update: Update, task: TaskConfig, now: datetime) -> _Material:
        pool = dict(buffer.reserved_examples(tx, update.update_id))
        chosen = [origin for entry in update.report["batch"] if (origin := Origin(*entry)) in pool]
        halved = buffer.half_weighted(tx, update.task, chosen)
        fresh = [row for o in chosen for row in rows_of(pool[o], task.rewards, now, half_weight=o in halved)]
        learned = buffer.learned_examples(tx, update.task, MOST_LEARNED)
        again = [row for example in learned for row in rows_of(example, task.rewards, now)]
        dev = [row for e in buffer.dev_examples(tx, update.task, MOST_DEV) for row in rows_of(e, task.rewards, now)]
        routed = self._routed([*fresh, *again], task)  # together, so that their weights stay comparable
        new = {origin.interaction_id for origin in chosen}
        champion = registry.get_adapter(tx, update.champion)
        assert champion is not None, "an update's champion is registered before the update is made"
        return _Material(
            batch=tuple(row for row in routed if row.origin.interaction_id in new),
            learned=tuple(row for row in routed if row.origin.interaction_id not in new),
            dev=self._routed(dev, task),
            champion=champion,
            version=registry.next_version(tx, update.task),
        )

    def _routed(self, rows: Sequence[Row], task: TaskConfig) -> tuple[Row, ...]:
        return route(rows, methods_on(task)).by_method.get(task.method, ())

    def _choose(self, material: _Material, task: TaskConfig) -> StartChoice:
        limits = self._config().updates
        effective = sum(decay(row.effective_at, self._clock(), task.rewards.half_life) for row in material.learned)
        rows = len(material.batch)
        evidence = StartEvidence(
            champion_is_base=material.champion.version == 0,
            batch_rows=rows,
            learned_rows=len(material.learned),
            learned_effective=effective,
            row_s=None,
            passes=steps_for(rows, task.sft) * task.sft.batch_size / rows,
            budget_s=limits.start_budget,
        )
        return choose_start(limits.start, evidence)

    def _write(
        self,
        folder: Path,
        attempt: int,
        update: Update,
        task: TaskConfig,
        material: _Material,
        choice: StartChoice,
        candidate: str,
    ) -> None:
        without = {row.origin.interaction_id for row in material.batch}
        replay = sample_replay(material.learned, choice.replay, update.update_id, without=without)
        write_rows(folder / contract.ROWS, _weighed([*material.batch, *replay]))
        write_rows(folder / contract.DEV_ROWS, _weighed(list(material.dev)))
        write_job(folder, self._job(attempt, update, task, material.champion, choice, candidate))

    def _job(
        self, attempt: int, update: Update, task: TaskConfig, champion: Adapter, choice: StartChoice, candidate: str
    ) -> contract.TrainJob:
        config = self._config()
        path = self._artifacts.path_of(champion) if choice.mode == "champion" else None
        ((method, settings),) = methods_on(task)
        return contract.TrainJob(
            task=update.task,
            update_id=update.update_id,
            attempt=attempt,
            threads=config.updates.threads,
            time_limit_s=config.updates.time_limit,
            candidate=candidate,
            method=method.name,
            seed=config.updates.seed + update.update_id,
            base=self._base,
            start=contract.Start(mode=choice.mode, adapter_path=str(path) if path else None),
            model=contract.Model.model_validate(config.model.model_dump(include={"max_context", "lora"})),
            settings=settings.model_dump(),
            learners=contract.LearnersOn(curriculum=task.learners.curriculum),
        )

    def _finish(self, update: Update, folder: Path) -> None:
        result = read_result(folder)
        assert isinstance(result, contract.TrainResult), "a done train job has a train result"
        if result.outcome == "failed":
            self._fail(update, result.reason)
            return
        adapter = self._publish(update, folder, result)

        def change(tx: Connection) -> None:
            registry.add_candidate(tx, adapter)
            report = {**update.report, "training": adapter.manifest["training"]}
            updates.change_update(tx, update, "trained", self._clock(), report=report)

        self._store.write(change)

    def _publish(self, update: Update, folder: Path, result: contract.TrainResult) -> Adapter:
        """Files first, then the registry's row: an adapter that can be seen is whole (I4)."""
        manifest = _manifest(update, result, self._base)
        directory, files = self._artifacts.publish(result.candidate, folder / contract.ADAPTER, manifest)
        return Adapter(
            name=result.candidate,
            task=update.task,
            version=int(result.candidate.rpartition("@v")[2]),
            base_hash=self._base.hash,
            parent=update.champion,
            update_id=update.update_id,
            created_at=self._clock(),
            state="candidate",
            directory=directory,
            files=files,
            manifest=manifest,
        )

    def _retry(self, update: Update, reason: str) -> None:
        """A crashed attempt goes back into the queue until there were too many; then its batch is set aside."""
        attempts, most = update.attempts + 1, self._config().updates.max_attempts
        log.warning("training attempt lost", update=update.update_id, task=update.task, reason=reason, attempt=attempts)
        if attempts >= most:
            self._give_up(update, attempts, reason)
            return
        self._queue_again(update, attempts, reason)

    def _queue_again(self, update: Update, attempts: int, reason: str) -> None:
        self._store.write(
            lambda tx: updates.change_update(tx, update, "queued", self._clock(), attempts=attempts, reason=reason)
        )

    def _give_up(self, update: Update, attempts: int, reason: str) -> None:
        now, why = self._clock(), f"{attempts} attempts crashed, the last because: {reason}"

        def change(tx: Connection) -> None:
            aside = buffer.set_aside(tx, update.update_id, why)
            updates.change_update(tx, update, "failed", now, attempts=attempts, reason=why)
            words = f"{aside} examples set aside: {why}"
            decisions.record(tx, Decision(now, "set_aside", words, update.task, f"update {update.update_id}"))

        self._store.write(change)

    def _fail(self, update: Update, reason: str) -> None:
        """An attempt that ended by itself without an adapter: trying it again would end the same."""
        now = self._clock()

        def change(tx: Connection) -> None:
            buffer.release(tx, update.update_id, [], "failed")
            updates.change_update(tx, update, "failed", now, reason=reason)
            decisions.record(
                tx, Decision(now, "update", f"failed: {reason}", update.task, f"update {update.update_id}")
            )

        self._store.write(change)


def _go_on(left: Path, folder: Path, attempt: int) -> None:
    """The same job and rows, with what the attempt before had reached."""
    job = read_job(left)
    for name in (contract.ROWS, contract.DEV_ROWS):
        shutil.copyfile(left / name, folder / name)
    shutil.copytree(left / contract.CHECKPOINT, folder / contract.CHECKPOINT)
    write_job(folder, job.model_copy(update={"attempt": attempt}))


def _weighed(rows: list[Row]) -> list[Row]:
    """Weights brought to mean 1 and capped, over all rows of the update together."""
    weights = normalise([row.weight for row in rows])
    return [replace(row, weight=weight) for row, weight in zip(rows, weights, strict=True)]


def _manifest(update: Update, result: contract.TrainResult, base: contract.Base) -> dict[str, object]:
    """What an adapter is made of, without any user's text."""
    training = result.model_dump(mode="json", exclude={"files", "probes", "contract", "kind"})
    return {
        "task": update.task,
        "base_hash": base.hash,
        "template_hash": result.template_hash,
        "parent": update.champion,
        "update_id": update.update_id,
        "adaptd": _code_version(),
        "training": training,
        "probes": [probe.model_dump(mode="json") for probe in result.probes],
    }


def _code_version() -> str:
    try:
        return version("adaptd")
    except PackageNotFoundError:
        return "0+unknown"
