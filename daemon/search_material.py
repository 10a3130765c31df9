"""What a search trains on: the train and dev folds as an update would see them, without waiting for a ripe batch.

New are the open examples, filled up with the newest that were learned; the rest of what was learned is there to be
replayed. Nothing is reserved and nothing of it counts as learned: a trial's adapter is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from daemon.config import TaskConfig
from daemon.leaks import gate_keys
from daemon.material import MOST_DEV
from daemon.methods_on import methods_on
from daemon.standing import floor_of, standing_of
from learners.job import Knob
from learners.methods import find_method
from learners.plan import steps_for
from learners.preference import PhaseRows, rows_to_judge_by, rows_to_train, sort_rows
from learners.router import drop_leaks, rows_of
from learners.tuner import MIN_DEV, knobs_for
from storage import buffer, registry
from storage.records import Adapter, Example, Row

MOST_REPLAYED = 200  # a trial is to be short


@dataclass(frozen=True)
class SearchMaterial:
    """Rows of one method: `rows` hold the new ones first, then those marked `replay`."""

    method: str
    rows: tuple[Row, ...]
    dev: tuple[Row, ...]
    champion: Adapter | None

    @property
    def replayable(self) -> int:
        return sum(row.replay for row in self.rows)


def gather_to_search(tx: Connection, task: TaskConfig, now: datetime) -> SearchMaterial | str:
    """The material, or why there is none yet."""
    if find_method(task.method).alone:
        return f"{task.method} has nothing to tune"
    settled_before = now - timedelta(seconds=task.rewards.settle)
    fresh = buffer.open_examples(tx, task.name, settled_before=settled_before, limit=task.batching.max)
    learned = buffer.learned_examples(tx, task.name, task.batching.max + MOST_REPLAYED)
    missing = max(0, task.batching.min - len(fresh))
    phases = sort_rows(
        _rows(tx, task, [*fresh, *learned[:missing]], now),
        _rows(tx, task, learned[missing:], now),
        _dev(tx, task, now),
        methods_on(task, floor_of(tx, task)),
        task.learners.preference,
    ).phases
    line = registry.line_of(tx, task.name)
    return material_of(task, phases, registry.get_adapter(tx, line.champion) if line else None)


def _rows(tx: Connection, task: TaskConfig, examples: list[Example], now: datetime) -> list[Row]:
    standing = standing_of(tx, task)
    rows = [row for example in examples for row in rows_of(example, task.rewards, now, standing=standing)]
    return list(drop_leaks(rows, gate_keys(tx, task), task.holdout.split)[0])


def _dev(tx: Connection, task: TaskConfig, now: datetime) -> list[Row]:
    standing = standing_of(tx, task)
    examples = buffer.dev_examples(tx, task.name, MOST_DEV)
    return [row for example in examples for row in rows_of(example, task.rewards, now, standing=standing)]


def material_of(task: TaskConfig, phases: Sequence[PhaseRows], champion: Adapter | None) -> SearchMaterial | str:
    """The material of the phase that has most to train on, or why that is too little. Pure."""
    phase = max(phases, key=lambda phase: len(phase.batch))
    if len(phase.batch) < task.batching.min:
        return f"{len(phase.batch)} of {task.batching.min} rows to train on"
    if len(phase.dev) < MIN_DEV:
        return f"{len(phase.dev)} of {MIN_DEV} rows in the dev fold"
    again = tuple(replace(row, replay=True) for row in phase.learned[:MOST_REPLAYED])
    whole = replace(phase, learned=again)
    return SearchMaterial(phase.method, rows_to_train(whole), rows_to_judge_by(phase), champion)


def knobs_of(task: TaskConfig, material: SearchMaterial) -> tuple[Knob, ...]:
    """What can be tuned, around what is configured. Pure."""
    own = getattr(task, material.method)
    steps = steps_for(len(material.rows), own.batch_size, own.steps)
    return knobs_for(own.model_dump(), steps=steps, replay_share=task.replay_share, replayable=material.replayable)
