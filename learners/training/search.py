"""A search job: short trainings of one method under different settings, over one base that is loaded once.

A trial is what an update would do, by the same code and on the same terms: rows are planned by `planning` with the
learners that are on, the method trains, and the weights that did best on the dev fold are scored on it: by their loss,
or, where the task has a validator, by one minus the mean score of what they answer to the dev prompts. A training that
an update would refuse (it moved nothing, or forgot too much) comes to no number. Then the adapter is taken off the
base. No adapter is written.

Limits: one method trains, where an update may have two phases; no learner chooses a batch, for there is no pool; with a
base in 4 bits, answers are scored on that, where an engine serves the whole one.

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
from math import isfinite, nan
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
    Terms,
    TrainJob,
)
from learners.job_files import append_progress, read_rows, write_rows
from learners.replay import sample_share
from learners.training.adapters import Weights, bare, base_to_train, load_tokenizer, weights_of, with_adapter
from learners.training.answering import validator_loss
from learners.training.bench import Bench, Fitted
from learners.training.drift import kl_from_start, retention
from learners.training.errors import ForgotTooMuch, NoChange, NothingToTrain
from learners.training.phases import refuse_forgetting, refuse_no_change
from learners.training.planning import prepare
from learners.training.readings import MIN_DEV_ROWS, OnReading
from learners.training.stopping import Interrupted, is_asked
from learners.training.studies import NoNumber, Pairs, Trials
from learners.tuner import REPLAY, of_method
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
    run = 0
    _say(directory, trials.finished, job.wanted)
    while run < job.trials and trials.finished < job.wanted and not is_asked():
        with trials.next() as trial:
            trial.value = trainings.run(trial.settings, job.seed, trial.reading)
        run += 1
        _say(directory, trials.finished, job.wanted, trial.value)
    finished, without = trials.finished, trials.without
    none = f"; {len(without)} came to no number: {without[-1]}" if without else ""
    damage = f"; {trials.damage}" if trials.damage else ""
    return SearchResult(
        outcome="searched",
        reason=f"{run} trials, {finished} of {job.wanted} finished in all{none}{damage}",
        finished=finished,
        run=run,
        pruned=trials.pruned,
        failed=len(without),
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
        now, then = trainings.run(against, seed, refuse=False), _number(trainings, settings, seed)
        if isfinite(now) and isfinite(then):
            kept.keep(settings, against, seed, (now, then))
        pairs.append(SeedPair(seed=seed, against=_finite(now), settings=_finite(then)))
        _say(directory, len(pairs), len(seeds))
    return SearchResult(
        outcome="searched", reason=f"compared over {len(pairs)} seeds", run=2 * len(pairs), pairs=tuple(pairs)
    )


def _number(trainings: Trainings, settings: Mapping[str, float], seed: int) -> float:
    try:
        return trainings.run(settings, seed)
    except NoNumber:
        return nan


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

    def run(
        self,
        settings: Mapping[str, float | str],
        seed: int,
        on_reading: OnReading | None = None,
        *,
        refuse: bool = True,
    ) -> float:
        """What the settings come to under that seed; lower is better.

        With `refuse`, raises NoNumber where an update would be refused after it (what is in force is compared for what
        it comes to also then: else nothing could ever take its place). Raises what `on_reading` raises.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        job = self._train_job(of_method(settings), seed)
        write_rows(self._folder / ROWS, self._drawn(float(settings.get(REPLAY, 1.0)), seed))
        write_rows(self._folder / DEV_ROWS, self._dev)
        model = with_adapter(self._base, job)
        try:
            return self._value(job, model, on_reading, refuse)
        finally:
            self._base = bare(model)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _value(self, job: TrainJob, model: Any, on_reading: OnReading | None, refuse: bool) -> float:
        (bench,) = prepare(self._folder, job, self._tokenizer, model).benches
        if not bench.rows.rows:
            raise NothingToTrain("No row is left to try settings on: all are too long; see model.max_context.")
        if not bench.has_dev:
            fits = len(bench.dev.rows)
            raise NothingToTrain(f"Settings are scored on the dev fold: {fits} rows of it fit, {MIN_DEV_ROWS} must.")
        start = weights_of(model)
        fitted: Fitted = importlib.import_module(f"learners.training.{job.phases[0].method}").fit(
            replace(bench, on_reading=on_reading)
        )
        if refuse:
            self._refuse(bench, fitted, start)
        assert fitted.best is not None, "there is a dev fold"
        if self._validator is None:
            return fitted.best.best_loss
        return validator_loss(model, self._tokenizer, self._dev, self._validator, self._job)

    def _refuse(self, bench: Bench, fitted: Fitted, start: Weights) -> None:
        """As an update is refused, so that nothing is put in force of which every update would fail."""
        most = bench.job.max_retention_kl
        try:
            refuse_no_change(kl_from_start(bench.model, bench.rows.rows, start), fitted.steps, [bench])
            if most is not None:
                refuse_forgetting(retention(bench.model, self._tokenizer, bench.job.champion_path), most, [bench])
        except (NoChange, ForgotTooMuch) as error:
            raise NoNumber(str(error)) from None

    def _drawn(self, share: float, seed: int) -> Sequence[Any]:
        """The new rows and that share of those that may be replayed, weights brought to mean 1 again."""
        rows = [row for row in self._rows if not row.replay]
        rows += sample_share([row for row in self._rows if row.replay], share, seed)
        weights = normalise([row.weight for row in rows])
        return [replace(row, weight=weight) for row, weight in zip(rows, weights, strict=True)]

    def _train_job(self, settings: Mapping[str, Any], seed: int) -> TrainJob:
        """On the terms of the search, all of them, whatever they may come to be."""
        terms = {name: getattr(self._job, name) for name in Terms.model_fields}
        phase = Phase(method=self._job.method, settings={**self._job.settings, **settings})
        return TrainJob(**{**terms, "seed": seed}, candidate=TRIAL, phases=(phase,))


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _say(directory: Path, done: int, total: int, value: float | None = None) -> None:
    append_progress(
        directory, Progress(at=datetime.now(UTC), done=done, total=max(total, 1), phase="search", dev_loss=value)
    )
