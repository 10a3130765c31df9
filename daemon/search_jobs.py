"""Which search job is due next: trials while some are wanted, then a comparison of what did best. Pure.

Apart from `searching`, which has the store, the clock and the idle time, so that whoever runs a study otherwise (the
learning benchmark does) asks the worker for the same jobs and adopts by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.config import Config, TaskConfig
from daemon.studies import name_of
from daemon.tuned import why_not
from learners import job as contract
from learners.tuner import SEEDS, differ, in_words
from storage.records import Study, Tuning


@dataclass(frozen=True, slots=True)
class NoJob:
    """Why there is none now; `over`: nor will there be one, for the study has said all that it can."""

    reason: str
    over: bool


def next_job(job: contract.SearchJob, study: Study, allowed: int) -> contract.SearchJob | NoJob:
    """What to ask for, made of the study's `job`, where so many trainings are allowed now."""
    if study.done < study.wanted:
        return job.model_copy(update={"trials": min(allowed, study.wanted - study.done)})
    against = job.start_from
    if not study.best or not differ(study.best["settings"], against):
        return NoJob(f"nothing did better than {in_words(against)} in {study.done} trials", over=True)
    if allowed < 2 * SEEDS:
        return NoJob(f"study {study.study_id}: the comparison waits for the next idle period", over=False)
    seeds = tuple(job.seed + number for number in range(1, SEEDS + 1))
    comparison = contract.Comparison(settings=study.best["settings"], against=against, seeds=seeds)
    return job.model_copy(update={"comparison": comparison})


def search_job(
    config: Config,
    task: TaskConfig,
    study: Study,
    base: contract.Base,
    *,
    journal: Path,
    adapter: Path | None,
    start_from: dict[str, float],
) -> contract.SearchJob:
    """A job of the study, as yet without trials: from `adapter`, or from the base; `start_from` is in force."""
    return contract.SearchJob(
        task=task.name,
        threads=config.updates.threads,
        time_limit_s=config.updates.time_limit,
        method=study.method,
        settings=getattr(task, study.method).model_dump(),
        study=contract.StudyPlace(path=str(journal), name=name_of(study)),
        knobs=tuple(contract.Knob.model_validate(knob) for knob in study.knobs),
        start_from=start_from,
        trials=0,
        wanted=study.wanted,
        seed=config.updates.seed + 1000 * study.study_id,
        base=base,
        start=contract.Start(mode="champion" if adapter else "base", adapter_path=str(adapter) if adapter else None),
        model=contract.Model.model_validate(config.model.model_dump(include={"max_context", "lora"})),
        learners={name: own.model_dump() for name, own in task.hooks.items() if task.learners.on(name)},
        validator=task.validator and contract.ValidatorChoice(**task.validator.model_dump()),
    )


def in_force(task: TaskConfig, study: Study, tuning: Tuning | None, base_hash: str) -> dict[str, float]:
    """The study's knobs as they stand now: as tuned, else as configured when it was opened."""
    configured = {str(knob["name"]): float(knob["configured"]) for knob in study.knobs}
    if tuning is None or tuning.method != study.method or why_not(task, tuning, base_hash):
        return configured
    return {name: float(tuning.settings.get(name, value)) for name, value in configured.items()}


def numbers_of(pairs: Sequence[contract.SeedPair]) -> list[tuple[float, float]]:
    """(in force, proposed), of those seeds that gave both."""
    return [(pair.against, pair.settings) for pair in pairs if pair.against is not None and pair.settings is not None]
