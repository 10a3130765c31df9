"""`adaptd updates tune`: how a task's search for settings stands; asking for one, ending it, turning its result down.

A search is the daemon's to run, in idle time; asking writes the study down, and it goes on whoever watches.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.config import TaskConfig
from daemon.errors import Denied, NotFound
from daemon.search_material import gather_to_search
from daemon.studies import journal_of, name_of, open_study
from daemon.tuned import why_not, with_tuning
from learners.tuner import in_words
from storage import decisions, registry, tunings
from storage.records import Decision, Study, Tuning


class StudyView(BaseModel):
    """`best` is the trial that did best so far, as far as is known; `optuna_name` its study's name in the journal."""

    study_id: int
    method: str
    state: str
    wanted: int
    done: int
    best: dict[str, Any]
    reason: str
    optuna_name: str
    created_at: datetime
    changed_at: datetime


class TuningView(BaseModel):
    """`not_in_force` says why it is not; empty for the one that is."""

    version: int
    method: str
    settings: dict[str, float]
    since: datetime
    reason: str
    actor: str
    study_id: int | None
    not_in_force: str


class TuningStatus(BaseModel):
    """`now` is what the daemon's search is at, or waits for; `settings` are in force, from `origin`."""

    task: str
    on: bool
    now: str
    method: str
    settings: dict[str, Any]
    origin: str
    journal: str
    study: StudyView | None
    tunings: list[TuningView]


def show_tuning(context: Context, task: str) -> TuningStatus:
    """Raises NotFound for a task that is not learned."""
    return context.store.read(lambda tx: _status(context, tx, _learned(context, task)))


def ask_to_tune(context: Context, task: str, trials: int, actor: str = "operator") -> TuningStatus:
    """Opens a study of so many trials, or has the open one run to so many.

    Raises Denied where the learner is off, nothing runs that could search, or the task has too little to search on.
    """
    in_force = _learned(context, task)
    if context.live is None or "learn" not in context.live.roles:
        raise Denied("searching needs a daemon that learns: adaptd run, with `learn` among its roles")
    if not in_force.learners.hyperparameters:
        raise Denied(
            f"learners.hyperparameters is off for {task}: adaptd learners enable hyperparameters --task {task}"
        )
    now = context.clock()

    def change(tx: Connection) -> None:
        study = tunings.open_study_of(tx, task)
        if study is not None:
            tunings.change_study(tx, study, "open", now, wanted=max(trials, study.done))
        else:
            _open(tx, in_force, trials, now)
        words = f"{trials} trials asked for by hand"
        decisions.record(tx, Decision(now, "tuning", words, task, actor=actor))

    context.store.write(change)
    return show_tuning(context, task)


def end_search(context: Context, task: str, actor: str = "operator") -> TuningStatus:
    """Ends the open study; what was found so far stays in its journal. Raises NotFound where none is open."""
    _learned(context, task)
    now = context.clock()

    def change(tx: Connection) -> None:
        study = tunings.open_study_of(tx, task)
        if study is None:
            raise NotFound(f"{task} has no open study; `adaptd updates tune {task}` shows those it had")
        tunings.change_study(tx, study, "cancelled", now, reason="ended by hand")
        words = f"study {study.study_id} ended by hand"
        decisions.record(tx, Decision(now, "tuning", words, task, f"study {study.study_id}", actor=actor))

    context.store.write(change)
    return show_tuning(context, task)


def reset_tuning(context: Context, task: str, actor: str = "operator") -> TuningStatus:
    """Puts the configured settings back in force. Raises NotFound where nothing else is."""
    _learned(context, task)
    now, words = context.clock(), "the configured settings put back by hand"

    def change(tx: Connection) -> None:
        tuning = tunings.newest_tuning(tx, task)
        if tuning is None or not tuning.settings:
            raise NotFound(f"{task} has no tuned settings; the configured ones are in force")
        tunings.adopt(
            tx,
            task,
            tuning.method,
            tuning.base_hash,
            settings={},
            configured=tuning.configured,
            reason=words,
            now=now,
            actor=actor,
        )
        decisions.record(tx, Decision(now, "tuning", words, task, f"tuning {tuning.version}", actor=actor))

    context.store.write(change)
    return show_tuning(context, task)


def words_of(settings: Mapping[str, float]) -> str:
    """Settings that a search tried or found, in words."""
    return in_words(settings)


def settings_in_words(tx: Connection, task: TaskConfig) -> str:
    """For the list of tasks: what is in force instead of what is configured; empty for nothing."""
    tuning, line = tunings.newest_tuning(tx, task.name), registry.line_of(tx, task.name)
    if tuning is None or line is None or why_not(task, tuning, line.base_hash):
        return ""
    return f"version {tuning.version}: " + in_words(tuning.settings)


def _open(tx: Connection, task: TaskConfig, trials: int, now: datetime) -> None:
    line = registry.line_of(tx, task.name)
    material = gather_to_search(tx, task, now)
    if isinstance(material, str) or line is None:
        raise Denied(f"{task.name} cannot be searched yet: {material if isinstance(material, str) else 'no base'}")
    open_study(tx, task, material, line.base_hash, trials, now)


def _learned(context: Context, task: str) -> TaskConfig:
    found = context.config().task(task)
    if found is None:
        raise NotFound(f"{task} is not learned; `adaptd tasks` shows what is")
    return found


def _status(context: Context, tx: Connection, task: TaskConfig) -> TuningStatus:
    line, history = registry.line_of(tx, task.name), tunings.list_tunings(tx, task.name)
    base_hash = line.base_hash if line else ""
    in_force = with_tuning(task, history[0] if history else None, base_hash)
    studies = tunings.list_studies(tx, task.name, limit=1)
    return TuningStatus(
        task=task.name,
        on=task.learners.hyperparameters,
        now=context.live.search_of(task.name) if context.live else "no daemon: this is read from the store",
        method=in_force.method,
        settings=dict(in_force.values),
        origin=in_force.origin,
        journal=str(journal_of(Path(context.config().storage.artifacts) / "studies", task.name)),
        study=_study(studies[0]) if studies else None,
        tunings=[_tuning(one, task, base_hash, newest=one is history[0]) for one in history],
    )


def _study(study: Study) -> StudyView:
    known = {name: getattr(study, name) for name in StudyView.model_fields if name != "optuna_name"}
    return StudyView(**known, optuna_name=name_of(study))


def _tuning(tuning: Tuning, task: TaskConfig, base_hash: str, *, newest: bool) -> TuningView:
    known = {name: getattr(tuning, name) for name in TuningView.model_fields if name != "not_in_force"}
    return TuningView(**known, not_in_force=why_not(task, tuning, base_hash) if newest else "a later one came")
