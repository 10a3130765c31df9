"""An update's training: from a reserved pool to a published candidate, or back to the pool with a reason.

The daemon only writes the job and reads the result; the work is a worker's (`learners.training`). The trainer sees
the train and dev folds and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import structlog
from sqlalchemy import Connection

from daemon.config import Config, TaskConfig
from daemon.jobs import Crashed, Done, Jobs, Lost, Running
from daemon.material import Material, gather, nothing_left, phases_of, routing, start_evidence
from daemon.pauses import Pauses
from daemon.train_jobs import Wanted, go_on, write_train_job
from daemon.tuned import told, with_tuning
from learners import job as contract
from learners.curves import curves_of
from learners.errors import LearnerError
from learners.job_files import (
    read_job,
    read_progress,
    read_result,
    read_rows,
)
from learners.model import kept_shape
from learners.preference import PhaseRows
from learners.replay import StartChoice, choose_start, with_share
from storage import decisions, registry, reservations, updates
from storage.artifacts import Artifacts
from storage.errors import StorageError
from storage.records import Adapter, Decision, Origin, Update
from storage.store import Store
from storage.tunings import newest_tuning

Unfit = Mapping[str, Sequence[Origin]]  # by why no text of them can be trained on

log = structlog.get_logger(__name__)

_HOW = {True: "goes on from its checkpoint", False: "starts anew"}


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
        self._pauses = Pauses(clock)

    def start(self, update: Update, task: TaskConfig) -> None:
        """Queued to running, unless it waits for a service."""
        if self._pauses.waits(update.update_id):
            return
        now = self._clock()
        tuned = with_tuning(task, self._store.read(lambda tx: newest_tuning(tx, task.name)), self._base.hash)
        task = tuned.task
        material = self._store.read(lambda tx: gather(tx, update, task, now))
        if not material.batch and not (update.report.get("rebase") and material.learned):
            self._fail(update, nothing_left(material))
            return
        candidate = f"{update.task}@v{material.version}"
        choice = self._choose(material, task)
        phases = phases_of(material, task, choice.replay, seed=update.update_id)
        used = {row.origin.interaction_id for row in material.batch}
        batch = _held(update, material, used)
        if (left := self._left_off(update, material, phases, candidate)) is not None:
            self._jobs.start(update, "train", partial(go_on, left))
            report = {**update.report, "batch": batch, "resumed": f"from the checkpoint of {left.name}"}
        else:
            path = self._artifacts.path_of(material.champion)
            wanted = Wanted(update, task, material, phases, choice, candidate, self._base, path)
            self._jobs.start(update, "train", partial(write_train_job, wanted, self._config()))
            learners = task.learners.model_dump()
            routed = {**routing(material, phases), **told(tuned)}
            report = {**update.report, "batch": batch, "start": choice.reason, "learners": learners, **routed}
        try:
            self._store.write(
                lambda tx: updates.change_update(
                    tx, update, "running", now, candidate=candidate, batch_size=len(batch), report=report
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
            reservations.release(tx, update.update_id, [], "cancelled")
            updates.change_update(tx, update, "cancelled", now, reason=words)
            decisions.record(tx, Decision(now, "update", words, update.task, f"update {update.update_id}"))

        self._store.write(change)

    def _left_off(self, update: Update, material: Material, phases: Sequence[PhaseRows], candidate: str) -> Path | None:
        """The attempt to go on with: its checkpoint is of this candidate and base, its phases are those that would be
        trained now, and no row of it was withdrawn."""
        folder = self._jobs.left_off(update)
        if folder is None:
            return None
        try:
            job, rows = read_job(folder), read_rows(folder / contract.ROWS)
        except LearnerError as error:  # a disk, or a hand; it would be as broken at the next look
            log.warning("checkpoint left alone", update=update.update_id, task=update.task, reason=str(error))
            return None
        known = {row.origin for row in (*material.batch, *material.learned)}
        if not isinstance(job, contract.TrainJob) or (job.candidate, job.base) != (candidate, self._base):
            return None
        same = [phase.method for phase in job.phases if phase.rows != 0] == [phase.method for phase in phases]
        return folder if same and {row.origin for row in rows} <= known else None

    def _choose(self, material: Material, task: TaskConfig) -> StartChoice:
        limits, rows = self._config().updates, sum(material.sizes.values())
        found, sizes, now = material.sorted.phases, material.sizes, self._clock()
        evidence = self._store.read(
            lambda tx: start_evidence(tx, found, sizes, material.champion, task, now, limits.start_budget)
        )
        choice = choose_start(limits.start, evidence)
        path = self._artifacts.path_of(material.champion)
        if choice.mode == "champion" and (kept := kept_shape(path, self._config().model.lora)):
            choice = replace(choice, reason=f"{choice.reason}; {kept}")
        return with_share(choice, task.replay_share, rows) if rows else choice  # a new line learns from everything

    def _finish(self, update: Update, folder: Path) -> None:
        result = read_result(folder)
        assert isinstance(result, contract.TrainResult), "a done train job has a train result"
        if result.try_again:
            self._retry(update, result.reason, away=True)
            return
        curves = _curves(folder)
        if result.outcome == "failed":
            report = {**update.report, "curves": curves}
            self._fail(update, result.reason, report, known=result.outgrown, unfit=result.unfit)
            return
        adapter = self._publish(update, folder, result)
        reserved = self._store.read(lambda tx: _reserved(tx, update))
        batch, left_out = _learned(update, result, reserved), _among(reserved, result.left_out)

        def change(tx: Connection) -> None:
            registry.add_candidate(tx, adapter)
            report = {**update.report, "batch": batch, "training": adapter.manifest["training"], "curves": curves}
            self._put_aside(tx, update, result.unfit)
            if result.unseen:
                report["unseen"] = len(result.unseen)
            if left_out:
                report["left_out"] = left_out
                out = [Origin(*entry) for entry in left_out]
                reservations.leave_out(tx, update.update_id, out, "looked like noise to the curriculum in two updates")
            updates.change_update(tx, update, "trained", self._clock(), report=report, batch_size=len(batch))

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

    def _retry(self, update: Update, reason: str, *, away: bool = False) -> None:
        """A crashed attempt goes back into the queue until there were too many; then its batch is set aside.

        Where a service that a learner asks was `away`, after a pause, and its batch goes back in the end."""
        attempts, most = update.attempts + 1, self._config().updates.max_attempts
        log.warning("training attempt lost", update=update.update_id, task=update.task, reason=reason, attempt=attempts)
        if attempts >= most and away:
            self._fail(update, f"{attempts} attempts failed, the last because: {reason}")
        elif attempts >= most:
            self._give_up(update, attempts, reason)
        else:
            if away:
                self._pauses.begin(update.update_id, attempts)
            self._queue_again(update, attempts, reason)

    def _queue_again(self, update: Update, attempts: int, reason: str) -> None:
        self._store.write(
            lambda tx: updates.change_update(tx, update, "queued", self._clock(), attempts=attempts, reason=reason)
        )

    def _give_up(self, update: Update, attempts: int, reason: str) -> None:
        now, why = self._clock(), f"{attempts} attempts crashed, the last because: {reason}"

        def change(tx: Connection) -> None:
            aside = reservations.set_aside(tx, update.update_id, why)
            updates.change_update(tx, update, "failed", now, attempts=attempts, reason=why)
            words = f"{aside} examples set aside: {why}"
            decisions.record(tx, Decision(now, "set_aside", words, update.task, f"update {update.update_id}"))

        self._store.write(change)

    def _fail(
        self,
        update: Update,
        reason: str,
        report: dict[str, Any] | None = None,
        *,
        known: bool = False,
        unfit: Unfit = MappingProxyType({}),
    ) -> None:
        """An attempt that ended by itself without an adapter: trying it again would end the same.

        What the champion `known` already is learned, else it would fill every batch to come; so would what is `unfit`.
        """
        now = self._clock()
        learned = [Origin(*entry) for entry in update.report["batch"]] if known else []

        def change(tx: Connection) -> None:
            self._put_aside(tx, update, unfit)
            reservations.release(tx, update.update_id, learned, "promoted" if known else "failed")
            updates.change_update(tx, update, "failed", now, reason=reason, report=report or update.report)
            decisions.record(
                tx, Decision(now, "update", f"failed: {reason}", update.task, f"update {update.update_id}")
            )

        self._store.write(change)

    def _put_aside(self, tx: Connection, update: Update, unfit: Unfit) -> None:
        """What no update can train on would be in every one to come."""
        for why, origins in unfit.items():
            out = [Origin(*entry) for entry in _among(_reserved(tx, update), origins)]
            aside = reservations.set_aside(tx, update.update_id, why, out)
            words, subject = f"{aside} examples set aside: {why}", f"update {update.update_id}"
            decisions.record(tx, Decision(self._clock(), "set_aside", words, update.task, subject))


def _held(update: Update, material: Material, used: set[str]) -> list[list[Any]]:
    """The batch that was reserved, without what cannot be learned any more: that goes back.

    Where the worker chooses another from the pool it stays whole, since the next attempt may have no such learner.
    """
    batch: list[list[Any]] = update.report["batch"]
    return batch if material.pool else [entry for entry in batch if entry[0] in used]


def _reserved(tx: Connection, update: Update) -> list[list[Any]]:
    """The live pool as reports name it."""
    pool = reservations.reserved_examples(tx, update.update_id)
    return [[origin.interaction_id, origin.revision] for origin, _ in pool]


def _learned(update: Update, result: contract.TrainResult, reserved: list[list[Any]]) -> list[list[Any]]:
    """The examples that the candidate was trained on, as they were reserved."""
    unfit = [origin for origins in result.unfit.values() for origin in origins]
    out = _names([*result.left_out, *result.unseen, *unfit])
    held = update.report["batch"] if result.batch is None else _among(reserved, result.batch)
    return [entry for entry in held if _of(entry) not in out]


def _among(entries: Sequence[list[Any]], origins: Sequence[Origin]) -> list[list[Any]]:
    """Those that the origins name; the worker may have had a later revision."""
    names = _names(origins)
    return [entry for entry in entries if _of(entry) in names]


def _names(origins: Sequence[Origin]) -> set[str]:
    return {origin.interaction_id for origin in origins}


def _of(entry: Sequence[Any]) -> str:
    name: str = entry[0]
    return name


def _curves(folder: Path) -> list[dict[str, Any]]:
    """For people: that they cannot be read must not cost a finished adapter."""
    try:
        return [curve.model_dump() for curve in curves_of(read_progress(folder))]
    except (LearnerError, OSError):
        return []


def _manifest(update: Update, result: contract.TrainResult, base: contract.Base) -> dict[str, object]:
    """What an adapter is made of: no user's text, and no interaction, which only the store names."""
    unnamed = {"files", "probes", "contract", "kind", "batch", "left_out", "unseen", "unfit"}
    training = result.model_dump(mode="json", exclude=unnamed)
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
