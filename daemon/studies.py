"""Opening a study, and where Optuna keeps its trials."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection

from daemon.config import TaskConfig
from daemon.evaluations import yardstick_of
from daemon.search_material import SearchMaterial, knobs_of
from storage import decisions, tunings
from storage.records import Decision, Study


def open_study(
    tx: Connection, task: TaskConfig, material: SearchMaterial, base_hash: str, wanted: int, now: datetime
) -> Study:
    """A study of what can be tuned, around what is configured."""
    knobs = knobs_of(task, material)
    names = ", ".join(knob.name for knob in knobs)
    words = (
        f"{wanted} trials of {material.method}: {names}, on {len(material.rows)} rows and {len(material.dev)} of dev"
    )
    study = tunings.open_study(
        tx,
        task.name,
        material.method,
        base_hash,
        wanted=wanted,
        rows=len(material.rows),
        knobs=[knob.model_dump() for knob in knobs],
        reason=words,
        now=now,
        yardstick=_yardstick(task),
    )
    decisions.record(tx, Decision(now, "tuning", f"opened: {words}", task.name, f"study {study.study_id}"))
    return study


def measures_as(study: Study, task: TaskConfig) -> bool:
    """Whether trials are scored as its first ones were: by the same validator, or by the dev loss. One that does not
    say is taken to."""
    return study.yardstick in (None, _yardstick(task))


def _yardstick(task: TaskConfig) -> str:
    return yardstick_of(task) or ""


def journal_of(studies: Path, task: str) -> Path:
    """Optuna's journal of a task; a task may hold slashes or dots, a file's name may not lead anywhere."""
    return studies / f"{quote(task, safe='').replace('.', '%2E')}.journal"


def name_of(study: Study) -> str:
    """What it is called in the journal."""
    return f"{study.method}-{study.study_id}"
