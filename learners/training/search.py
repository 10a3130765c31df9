"""A search job: short trainings of one method under different settings, over one base that is loaded once.

A trial is what an update would do, by the same code: rows are planned by `planning` with the learners that are on, the
method trains, and the weights that did best on the dev fold are scored on it: by their loss, or, where the task has a
validator, by one minus the mean score of what they answer to the dev prompts. Then the adapter is taken off the base.
No adapter is written.

A comparison trains two settings under the same seeds, which no trial has used. What is finished is in Optuna's journal
at once, so that a worker may be killed at any moment and costs one training.
"""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from consumers.rewards import normalise
from learners.job import (
    DEV_ROWS,
    ROWS,
    Phase,
    Progress,
    SearchJob,
    SearchResult,
    SeedPair,
    TrainJob,
)
from learners.job_files import append_progress, read_rows, write_rows
from learners.replay import sample_share
from learners.training.adapters import bare, base_to_train, load_tokenizer, with_adapter
from learners.training.answering import validator_loss
from learners.training.bench import Fitted
from learners.training.errors import NothingToTrain
from learners.training.planning import prepare
from learners.training.readings import MIN_DEV_ROWS, OnReading
from learners.training.stopping import Interrupted, is_asked
from learners.training.studies import Pairs, Trials
from learners.tuner import REPLAY
from learners.validators import open_validator

TRIAL = "trial"


def run_search(directory: Path, job: SearchJob) -> SearchResult:
    """Runs the trials, or the comparison. Raises NothingToTrain, StartMissing, JobFileBroken, ValidatorUnavailable."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one job trains on one device
    began = time.monotonic()
    trainings = Trainings(directory, job)
    loaded = time.monotonic()
    result = _compare(directory, job, trainings) if job.comparison else _try(directory, job, trainings)
    seconds = {"load": round(loaded - began, 3), "train": round(time.monotonic() - loaded, 3)}
    return result.model_copy(update={"objective": trainings.objective, "seconds": seconds})


def _try(directory: Path, job: SearchJob, trainings: Trainings) -> SearchResult:
    trials = Trials(job.study, job.knobs, job.start_from, job.seed)
    before, run = trials.finished, 0
    _say(directory, trials.finished, job.wanted)
    while run < job.trials and trials.finished < job.wanted and not is_asked():
        with trials.next() as trial:
            trial.value = trainings.run(trial.settings, job.seed, trial.reading)
        run += 1
        _say(directory, trials.finished, job.wanted, trial.value)
    finished = trials.finished
    return SearchResult(
        outcome="searched",
        reason=f"{run} trials, {finished} of {job.wanted} finished in all",
        finished=finished,
        run=run,
        pruned=trials.pruned,
        failed=run - (finished - before),
        lost=trials.lost,
        best=trials.best,
    )


def _compare(directory: Path, job: SearchJob, trainings: Trainings) -> SearchResult:
    assert job.comparison is not None
    settings, against, seeds = job.comparison.settings, job.comparison.against, job.comparison.seeds
    kept = Pairs(job.study.model_copy(update={"name": f"{job.study.name}-comparison"}))
    found = kept.found(settings, against)
    pairs = [SeedPair(seed=seed, against=now, settings=then) for seed, (now, then) in found.items() if seed in seeds]
    _say(directory, len(pairs), len(seeds))
    for seed in [seed for seed in seeds if seed not in found]:
        if is_asked():
            raise Interrupted(f"stopped after {len(pairs)} of {len(seeds)} seeds")
        now, then = trainings.run(against, seed), trainings.run(settings, seed)
        if isfinite(now) and isfinite(then):
            kept.keep(settings, against, seed, (now, then))
        pairs.append(SeedPair(seed=seed, against=_finite(now), settings=_finite(then)))
        _say(directory, len(pairs), len(seeds))
    return SearchResult(
        outcome="searched", reason=f"compared over {len(pairs)} seeds", run=2 * len(pairs), pairs=tuple(pairs)
    )


class Trainings:
    """One training after the other, on the same rows and the same base."""

    def __init__(self, directory: Path, job: SearchJob) -> None:
        self._job, self._folder = job, directory / TRIAL
        self._rows, self._dev = read_rows(directory / ROWS), read_rows(directory / DEV_ROWS)
        choice = job.validator
        self._validator = open_validator(choice.name, choice.settings) if choice else None
        self._tokenizer, self._base = load_tokenizer(job.base.path), base_to_train(job.base.path, job.model)

    @property
    def objective(self) -> str:
        return "1 - validator score" if self._validator else "dev loss"

    def run(self, settings: Mapping[str, float], seed: int, on_reading: OnReading | None = None) -> float:
        """What the settings come to under that seed; lower is better. Raises what `on_reading` raises."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        own = {name: value for name, value in settings.items() if name != REPLAY}
        job = self._train_job(own, seed)
        write_rows(self._folder / ROWS, self._drawn(settings.get(REPLAY, 1.0), seed))
        write_rows(self._folder / DEV_ROWS, self._dev)
        model = with_adapter(self._base, job)
        try:
            return self._value(job, model, on_reading)
        finally:
            self._base = bare(model)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _value(self, job: TrainJob, model: Any, on_reading: OnReading | None) -> float:
        (bench,) = prepare(self._folder, job, self._tokenizer, model).benches
        if not bench.rows.rows:
            raise NothingToTrain("No row is left to try settings on: all are too long; see model.max_context.")
        if not bench.has_dev:
            fits = len(bench.dev.rows)
            raise NothingToTrain(f"Settings are scored on the dev fold: {fits} rows of it fit, {MIN_DEV_ROWS} must.")
        fitted: Fitted = importlib.import_module(f"learners.training.{job.phases[0].method}").fit(
            replace(bench, on_reading=on_reading)
        )
        assert fitted.best is not None, "there is a dev fold"
        if self._validator is None:
            return fitted.best.best_loss
        return validator_loss(model, self._tokenizer, self._dev, self._validator, self._job)

    def _drawn(self, share: float, seed: int) -> Sequence[Any]:
        """The new rows and that share of those that may be replayed, weights brought to mean 1 again."""
        rows = [row for row in self._rows if not row.replay]
        rows += sample_share([row for row in self._rows if row.replay], share, seed)
        weights = normalise([row.weight for row in rows])
        return [replace(row, weight=weight) for row, weight in zip(rows, weights, strict=True)]

    def _train_job(self, settings: Mapping[str, float], seed: int) -> TrainJob:
        job = self._job
        whole = {knob.name for knob in job.knobs if knob.whole}
        tried = {name: int(value) if name in whole else value for name, value in settings.items()}
        return TrainJob(
            task=job.task,
            update_id=job.update_id,
            threads=job.threads,
            candidate=TRIAL,
            phases=(Phase(method=job.method, settings={**job.settings, **tried}),),
            seed=seed,
            base=job.base,
            start=job.start,
            model=job.model,
            learners=job.learners,
        )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _say(directory: Path, done: int, total: int, value: float | None = None) -> None:
    append_progress(
        directory, Progress(at=datetime.now(UTC), done=done, total=max(total, 1), phase="search", dev_loss=value)
    )
