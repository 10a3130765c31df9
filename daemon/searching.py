"""Searches of settings: begun when the daemon is idle, given up at once when it is not, gone on with later.

One search job runs at a time, over all tasks. It belongs to no update, so it is not in the store's list of jobs: the
study is, with how far it has come. Whatever ends a job (an update, a restart, a crash), its finished trials are in
Optuna's journal, and the next job goes on from there. Called from the scheduler thread alone, except `words`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import structlog
from sqlalchemy import Connection

from daemon.config import Config, TaskConfig
from daemon.executors import Executor, Handle
from daemon.search_jobs import NoJob, in_force, next_job, numbers_of, outdated, search_job
from daemon.search_material import SearchMaterial, evidence_of_start, gather_to_search
from daemon.studies import journal_of, measures_as, open_study
from daemon.tuned import configured_values
from learners import job as contract
from learners.errors import LearnerError
from learners.job_files import last_progress, read_job, read_result, write_job, write_rows
from learners.tuner import (
    MOST_CRASHES,
    SEEDS,
    Adoption,
    Idleness,
    in_words,
    is_due,
    judge,
    may_search,
)
from storage import decisions, tunings
from storage.records import Decision, Study, StudyState
from storage.store import Store

log = structlog.get_logger(__name__)

TEXTS = (contract.ROWS, contract.DEV_ROWS, "trial")


@dataclass(frozen=True)
class _Search:
    """The job at work: the trainings that it may do, and how many trials the study had when it began."""

    study: Study
    handle: Handle
    cost: int
    begun: int


class Searching:
    """See above. `monotonic` is a clock in seconds that never goes back."""

    def __init__(
        self,
        store: Store,
        artifacts: Path,
        executor: Executor,
        base: contract.Base,
        config: Callable[[], Config],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._executor, self._base = store, executor, base
        self._config, self._clock, self._monotonic = config, clock, monotonic
        self._jobs, self._studies = artifacts / "jobs", artifacts / "studies"
        self._search: _Search | None = None
        self._quiet_since_s: float | None = None
        self._last_s: float | None = None
        self._used = 0
        self._words: dict[str, str] = {}
        for left in self._jobs.glob("search-*"):  # by a daemon that died; they hold users' texts
            shutil.rmtree(left, ignore_errors=True)

    def words(self, task: str) -> str:
        """What the search of a task is at, or waits for. Safe from any thread."""
        return self._words.get(task, "off")

    def tick(self, tasks: Sequence[TaskConfig], busy: str, *, look: bool = True) -> None:
        """The next due thing; `busy` says what else is at work, and `look` that a search may begin."""
        on = {task.name: task for task in tasks if task.learners.hyperparameters}
        for gone in self._words.keys() - on.keys():
            del self._words[gone]
        if self._search is not None:
            self._watch(self._search, on, busy)
        if busy:
            self._quiet_since_s, self._used, self._last_s = None, 0, None
        elif self._quiet_since_s is None:
            self._quiet_since_s = self._monotonic()
        if self._search is None and look:
            self._begin(on, busy)

    def stop(self) -> None:
        """The daemon ends: the search too; the next daemon goes on with its study."""
        if self._search is not None:
            self._give_way(self._search, "the daemon was stopped")

    # A search at work.

    def _watch(self, search: _Search, on: dict[str, TaskConfig], busy: str) -> None:
        task, study = on.get(search.study.task), self._store.read(lambda tx: _study(tx, search.study))
        if busy or task is None or study is None:
            self._give_way(search, busy or ("it was ended by hand" if task else "learners.hyperparameters is off"))
            return
        if not measures_as(study, task):
            self._give_way(search, "the validator was changed")
            return
        search = self._search = replace(search, study=self._follow(search, study))
        status = self._executor.poll(search.handle)
        if status.state == "running" and (status.heartbeat_age_s or 0.0) <= self._config().updates.heartbeat_limit:
            return
        if status.state == "running":
            self._executor.cancel(search.handle)
        ended_well = status.state == "done"
        self._end(search, search.cost if ended_well else max(1, search.study.done - search.begun))
        result = read_result(search.handle.directory) if ended_well else None
        if isinstance(result, contract.SearchResult) and result.pairs and self._changed_since(search, task):
            self._change(study, "open", reason="what was in force was changed meanwhile; it is compared again")
        elif isinstance(result, contract.SearchResult):
            self._take(search, task, result)
        else:
            self._crashed(search, status.reason or "no heartbeat")

    def _changed_since(self, search: _Search, task: TaskConfig) -> bool:
        """Whether a comparison was with what is not in force any more: an edit by hand is never overruled by it."""
        job = read_job(search.handle.directory)
        assert isinstance(job, contract.SearchJob), "a search has a search job"
        return job.comparison is not None and dict(job.comparison.against) != self._in_force(task, search.study)

    def _give_way(self, search: _Search, reason: str) -> None:
        """Killed, not asked: a finished trial is on disk, and an unfinished one is not worth an update's wait."""
        self._executor.cancel(search.handle)
        study = self._store.read(lambda tx: _study(tx, search.study))
        if study is not None:
            self._follow(search, study)
        self._end(search, 0)
        self._words[search.study.task] = f"study {search.study.study_id} gave way: {reason}"
        log.info("search gave way", task=search.study.task, study=search.study.study_id, reason=reason)

    def _follow(self, search: _Search, study: Study) -> Study:
        """Writes down how many trials have ended. That it was the last, and which did best, only the result says."""
        progress = last_progress(search.handle.directory)
        done = 0 if progress is None else min(progress.done, study.wanted - 1)
        if study.done >= study.wanted or done <= study.done:
            return study
        words = f"study {study.study_id}: {done} of {study.wanted} trials"
        self._words[study.task] = words
        return self._change(study, "open", done=done)

    def _end(self, search: _Search, used: int) -> None:
        self._search, self._last_s = None, self._monotonic()
        self._used += used
        for name in TEXTS:
            path = search.handle.directory / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    # What it came to.

    def _take(self, search: _Search, task: TaskConfig, result: contract.SearchResult) -> None:
        study = search.study
        if result.outcome == "failed":
            self._crashed(search, result.reason)
        elif result.pairs:
            self._conclude(study, task, judge(numbers_of(result.pairs), task.hyperparameters), result)
        elif result.run and result.best is None:
            self._crashed(search, result.reason, got_on=False)  # not one trial of the study came to a number
        else:
            best = result.best.model_dump() if result.best else {}
            self._change(study, "open", done=result.finished, best=best, crashes=0, reason=result.reason)

    def _crashed(self, search: _Search, reason: str, *, got_on: bool = True) -> None:
        """Tried again a bounded number of times, so that a broken setting does not fill every idle hour; one that got
        on (its time was over, say) counts as the first."""
        study = search.study
        crashes = 1 if got_on and study.done > search.begun else study.crashes + 1
        log.warning("search lost", task=study.task, study=study.study_id, reason=reason, attempt=crashes)
        if crashes < MOST_CRASHES:
            self._change(study, "open", crashes=crashes, reason=reason)
            return
        self._store.write(lambda tx: self._settle(tx, study, "failed", f"{crashes} search jobs failed: {reason}"))

    def _conclude(self, study: Study, task: TaskConfig, found: Adoption, result: contract.SearchResult) -> None:
        settings = dict(study.best["settings"])
        words = f"{in_words(settings)} against {in_words(self._in_force(task, study))}: {found.reason}"

        def change(tx: Connection) -> None:
            if found.won:
                tunings.adopt(
                    tx,
                    study.task,
                    study.method,
                    study.base_hash,
                    settings=settings,
                    configured=configured_values(task, study.method),
                    reason=words,
                    now=self._clock(),
                    study_id=study.study_id,
                    evidence={"gain": found.gain, "objective": result.objective, "pairs": numbers_of(result.pairs)},
                )
            self._settle(tx, study, "adopted" if found.won else "kept", words)

        self._store.write(change)

    def _settle(self, tx: Connection, study: Study, state: StudyState, words: str) -> None:
        now = self._clock()
        tunings.change_study(tx, study, state, now, reason=words)
        decisions.record(tx, Decision(now, "tuning", f"{state}: {words}", study.task, f"study {study.study_id}"))

    def _change(self, study: Study, state: StudyState, **values: Any) -> Study:
        return self._store.write(lambda tx: tunings.change_study(tx, study, state, self._clock(), **values))

    # The next one.

    def _begin(self, on: dict[str, TaskConfig], busy: str) -> None:
        now_s = self._monotonic()
        for task in self._in_turn(on):
            since = now_s if self._quiet_since_s is None else self._quiet_since_s
            last_s = None if self._last_s is None else now_s - self._last_s
            found = may_search(Idleness(busy, now_s - since, self._used, last_s), task.hyperparameters)
            if found.trials and self._used >= task.hyperparameters.at_once:
                self._used = 0
            self._words[task.name] = found.reason
            try:
                if found.trials and self._start(task, found.trials):
                    return
            except LearnerError as error:  # its golden file is gone, say: the others are searched nevertheless
                self._words[task.name] = f"waits: {error}"

    def _in_turn(self, on: dict[str, TaskConfig]) -> list[TaskConfig]:
        """The task whose study has waited longest comes first, then those without one."""
        studies = {name: self._store.read(lambda tx, name=name: tunings.open_study_of(tx, name)) for name in on}  # type: ignore[misc]
        waiting = sorted((study for study in studies.values() if study), key=lambda study: study.changed_at)
        return [on[study.task] for study in waiting] + [task for name, task in on.items() if studies[name] is None]

    def _start(self, task: TaskConfig, allowed: int) -> bool:
        """Whether a search of this task was begun."""
        study = self._store.read(lambda tx: tunings.open_study_of(tx, task.name))
        method = study.method if study else None
        material = self._store.read(lambda tx: gather_to_search(tx, task, self._clock(), method))
        if isinstance(material, str):
            self._words[task.name] = f"waits: {material}"
            return False
        if study is not None and study.method != material.method:
            words = f"it was for {study.method}, and most rows are for {material.method} now"
            self._store.write(lambda tx, study=study: self._settle(tx, study, "cancelled", words))  # type: ignore[misc]
            study = None
        if study is not None and (why := self._outdated(study, task)):
            study = self._store.write(lambda tx, study=study: self._begin_anew(tx, task, study, material, why))  # type: ignore[misc]
        study = study or self._open(task, material)
        if study is None:
            return False
        job = self._next_job(task, study, material, allowed)
        if job is not None:
            self._submit(study, job, material)
        return job is not None

    def _outdated(self, study: Study, task: TaskConfig) -> str:
        return outdated(study, task) if study.base_hash == self._base.hash else "it was on the base of then"

    def _begin_anew(self, tx: Connection, task: TaskConfig, study: Study, material: SearchMaterial, why: str) -> Study:
        """A study of as many trials as one had that nothing can be added to, which is ended."""
        self._settle(tx, study, "cancelled", why)
        return open_study(tx, task, material, self._base.hash, study.wanted, self._clock())

    def _open(self, task: TaskConfig, material: SearchMaterial) -> Study | None:
        """A study that begins by itself, where one is due."""
        studies = self._store.read(lambda tx: tunings.list_studies(tx, task.name, limit=1))
        studies = [study for study in studies if study.base_hash == self._base.hash]  # of another, it says nothing here
        rows = len(material.rows)
        if not is_due(rows, task.batching.min, studies[0].rows if studies else None):
            self._words[task.name] = f"study {studies[0].study_id} is {studies[0].state}; the next when rows have grown"
            return None
        wanted = task.hyperparameters.trials
        return self._store.write(lambda tx: open_study(tx, task, material, self._base.hash, wanted, self._clock()))

    def _next_job(
        self, task: TaskConfig, study: Study, material: SearchMaterial, allowed: int
    ) -> contract.SearchJob | None:
        """Trials while some are wanted, then the comparison; None where this period is too short or all is said."""
        found = next_job(self._job(task, study, material), study, allowed)
        if not isinstance(found, NoJob):
            return found
        if found.over:
            state: StudyState = "failed" if found.failed else "kept"
            self._store.write(lambda tx: self._settle(tx, study, state, found.reason))
        else:
            self._words[task.name] = found.reason
        return None

    def _job(self, task: TaskConfig, study: Study, material: SearchMaterial) -> contract.SearchJob:
        config, champion = self._config(), material.champion
        known = champion is not None and champion.base_hash == self._base.hash  # of another base it fits no trial
        folder = champion.directory if champion is not None and known else None
        budget_s, now = config.updates.start_budget, self._clock()
        return search_job(
            config,
            task,
            study,
            self._base,
            material,
            journal=journal_of(self._studies, task.name),
            champion=self._studies.parent / folder if folder else None,
            start=self._store.read(lambda tx: evidence_of_start(tx, task, now, budget_s)),
            in_force=self._in_force(task, study),
        )

    def _in_force(self, task: TaskConfig, study: Study) -> dict[str, float | Literal["auto"]]:
        tuning = self._store.read(lambda tx: tunings.newest_tuning(tx, task.name))
        return in_force(task, study, tuning, self._base.hash)

    def _submit(self, study: Study, job: contract.SearchJob, material: SearchMaterial) -> None:
        folder = self._jobs / f"search-{study.study_id}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_rows(folder / contract.ROWS, material.rows)
        write_rows(folder / contract.DEV_ROWS, material.dev)
        write_job(folder, job)
        cost = 2 * SEEDS if job.comparison else job.trials
        self._search = _Search(study, self._executor.submit(folder), cost, study.done)
        what = f"a comparison over {SEEDS} seeds" if job.comparison else f"{study.done} of {study.wanted} trials"
        self._words[study.task] = f"study {study.study_id}: {what}"


def _study(tx: Connection, study: Study) -> Study | None:
    """As it stands, while it is open."""
    found = tunings.get_study(tx, study.study_id)
    return found if found is not None and found.state == "open" else None
