"""Which search job is due next: trials while some are wanted, then a comparison of what did best. Pure.

Apart from `searching`, which has the store, the clock and the idle time, so that whoever runs a study otherwise (the
learning benchmark does) asks the worker for the same jobs and adopts by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from daemon.config import Config, TaskConfig
from daemon.methods_on import methods_on
from daemon.search_material import SearchMaterial
from daemon.studies import measures_as, name_of
from daemon.train_jobs import terms_of, validator_of
from daemon.tuned import configured_values, why_not
from learners import job as contract
from learners.plan import passes_told
from learners.replay import StartEvidence, choose_start
from learners.tuner import PASSES, RATE, REPLAY, SEEDS, STEPS, differ, in_words, passes_in
from storage.records import Study, Tuning


@dataclass(frozen=True, slots=True)
class NoJob:
    """Why there is none now; `over`: nor will there be one, for the study has said all that it can. `failed`: that was
    nothing."""

    reason: str
    over: bool
    failed: bool = False


def next_job(job: contract.SearchJob, study: Study, allowed: int) -> contract.SearchJob | NoJob:
    """What to ask for, made of the study's `job`, where so many trainings are allowed now."""
    if study.done < study.wanted:
        return job.model_copy(update={"trials": min(allowed, study.wanted - study.done)})
    if not study.best:
        return NoJob(f"none of {study.done} trials came to a number", over=True, failed=True)
    if not differ(study.best["settings"], job.start_from):
        return NoJob(f"nothing did better than {in_words(job.in_force)} in {study.done} trials", over=True)
    if allowed < 2 * SEEDS:
        return NoJob(f"study {study.study_id}: the comparison waits for the next idle period", over=False)
    seeds = tuple(job.seed + number for number in range(1, SEEDS + 1))
    comparison = contract.Comparison(settings=study.best["settings"], against=job.in_force, seeds=seeds)
    return job.model_copy(update={"comparison": comparison})


def search_job(
    config: Config,
    task: TaskConfig,
    study: Study,
    base: contract.Base,
    material: SearchMaterial,
    *,
    journal: Path,
    champion: Path | None,
    start: StartEvidence | None,
    in_force: Mapping[str, float | Literal["auto"]],
) -> contract.SearchJob:
    """A job of the study, as yet without trials, on the terms of an update.

    `champion` is the folder of the reigning adapter, None for the bare base; `start` is known of an update of all that
    there is, by which trials start where that would.
    """
    own: Any = {method.name: settings for method, settings in methods_on(task, material.floor)}[study.method]
    mode = choose_start(config.updates.start, start).mode if champion and start else "base"
    terms = terms_of(config, task, base, mode, champion, material.gate_keys)
    return contract.SearchJob(
        **{**terms, "validator": validator_of(task)},  # it scores the trials, whoever else needs it
        method=study.method,
        settings=own.model_dump(),
        study=contract.StudyPlace(path=str(journal), name=name_of(study)),
        knobs=tuple(contract.Knob.model_validate(knob) for knob in study.knobs),
        start_from=_first(study, in_force, own.batch_size),
        in_force=dict(in_force),
        trials=0,
        wanted=study.wanted,
        seed=config.updates.seed + 1000 * study.study_id,
    )


def _first(study: Study, in_force: Mapping[str, float | Literal["auto"]], batch_size: int) -> dict[str, float]:
    """What is in force in terms of the study's knobs: so many steps are so many passes over its rows."""
    known = {name: value for name, value in in_force.items() if name != STEPS}
    if STEPS in in_force:
        known[PASSES] = passes_in(in_force[STEPS], study.rows, batch_size)
    return {str(knob["name"]): float(known.get(str(knob["name"]), knob["configured"])) for knob in study.knobs}


def outdated(study: Study, task: TaskConfig) -> str:
    """Why its trials and new ones cannot be of one study; empty where they can."""
    if any(knob["name"] == STEPS for knob in study.knobs):
        return "it searched for a number of steps, which does not grow with the rows; passes are searched instead"
    return "" if measures_as(study, task) else "its trials were scored otherwise: the validator was changed"


def in_force(
    task: TaskConfig, study: Study, tuning: Tuning | None, base_hash: str
) -> dict[str, float | Literal["auto"]]:
    """What the study's knobs turn, as it stands now: as tuned, else as configured."""
    now: dict[str, float | Literal["auto"]] = _told(configured_values(task, study.method))
    if tuning is not None and tuning.method == study.method and not why_not(task, tuning, base_hash):
        if STEPS in tuning.settings or PASSES in tuning.settings:
            now = {name: value for name, value in now.items() if name not in (STEPS, PASSES)}
        now |= tuning.settings
    knobs = {str(knob["name"]) for knob in study.knobs}
    return {
        name: now[name] for name in (RATE, STEPS, PASSES, REPLAY) if name in now and (name != REPLAY or name in knobs)
    }


def _told(configured: Mapping[str, Any]) -> dict[str, float | Literal["auto"]]:
    steps = configured[STEPS]
    passes = isinstance(steps, str) and steps != "auto"
    return {
        RATE: configured[RATE],
        **({PASSES: passes_told(steps)} if passes else {STEPS: steps}),
        REPLAY: configured[REPLAY],
    }


def numbers_of(pairs: Sequence[contract.SeedPair]) -> list[tuple[float, float]]:
    """(in force, proposed), of those seeds that gave both."""
    return [(pair.against, pair.settings) for pair in pairs if pair.against is not None and pair.settings is not None]
