"""What a search trains on: the train and dev folds as an update would see them, without waiting for a ripe batch.

New are the open examples, filled up with the newest that were learned; the rest of what was learned is there to be
replayed: up to `MOST_REPLAYED` rows, the newest, for a trial is to be short. Nothing is reserved and nothing of it
counts as learned: a trial's adapter is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from daemon.config import TaskConfig
from daemon.leaks import every_key, gate_keys
from daemon.material import MOST_DEV, MOST_LEARNED, makes, start_evidence
from daemon.methods_on import methods_on
from daemon.standing import floor_of, standing_of
from learners.floor import Floor
from learners.job import Knob
from learners.methods import find_method
from learners.preference import PhaseRows, rows_to_judge_by, rows_to_train, sort_rows
from learners.replay import StartEvidence
from learners.router import drop_leaks, rows_of
from learners.tuner import MIN_DEV, knobs_for
from storage import buffer, registry, reservations
from storage.records import Adapter, Example, Origin, Row

MOST_REPLAYED = 200


@dataclass(frozen=True)
class SearchMaterial:
    """Rows of one method: `rows` hold the new ones first, then those marked `replay`.

    `gate_keys` are what rows that a learner makes may not be, empty where none does; `floor` is SFT's, None for the
    configured one.
    """

    method: str
    rows: tuple[Row, ...]
    dev: tuple[Row, ...]
    champion: Adapter | None
    gate_keys: tuple[str, ...] = ()
    floor: Floor | None = None

    @property
    def replayable(self) -> int:
        return sum(row.replay for row in self.rows)


def gather_to_search(
    tx: Connection, task: TaskConfig, now: datetime, method: str | None = None
) -> SearchMaterial | str:
    """The material, or why there is none yet. Of `method`, an open study's, while there is enough for that: where two
    methods have about as many rows, no study would come to its end."""
    if find_method(task.method).alone:
        return f"{task.method} has nothing to tune"
    floor = floor_of(tx, task)
    phases = _phases(tx, task, now, floor, task.batching.max + MOST_REPLAYED)
    found = material_of(task, phases, _champion(tx, task), method)
    if isinstance(found, str):
        return found
    keys = tuple(sorted(every_key(tx, task))) if makes(task) else ()
    return replace(found, gate_keys=keys, floor=floor)


def evidence_of_start(tx: Connection, task: TaskConfig, now: datetime, budget_s: float) -> StartEvidence | None:
    """By which an update of all that there is would choose where to start; None without a champion."""
    champion = _champion(tx, task)
    if champion is None:
        return None
    phases = _phases(tx, task, now, floor_of(tx, task), MOST_LEARNED)
    sizes = {phase.method: len(phase.batch) for phase in phases}
    return start_evidence(tx, phases, sizes, champion, task, now, budget_s)


def _champion(tx: Connection, task: TaskConfig) -> Adapter | None:
    line = registry.line_of(tx, task.name)
    return registry.get_adapter(tx, line.champion) if line else None


def _phases(tx: Connection, task: TaskConfig, now: datetime, floor: Floor, most_learned: int) -> tuple[PhaseRows, ...]:
    settled_before = now - timedelta(seconds=task.rewards.settle)
    fresh = buffer.open_examples(tx, task.name, settled_before=settled_before, limit=task.batching.max)
    learned = buffer.learned_examples(tx, task.name, most_learned)
    missing = max(0, task.batching.min - len(fresh))
    return sort_rows(
        _rows(tx, task, [*fresh, *learned[:missing]], now),
        _rows(tx, task, learned[missing:], now),
        _dev(tx, task, now),
        methods_on(task, floor),
        task.preference,
    ).phases


def _rows(tx: Connection, task: TaskConfig, examples: list[Example], now: datetime) -> list[Row]:
    standing = standing_of(tx, task, examples)
    halved = reservations.half_weighted(tx, task.name, [_origin(example) for example in examples])
    rows = [
        row for example in examples for row in rows_of(example, task.rewards, now, _origin(example) in halved, standing)
    ]
    return list(drop_leaks(rows, gate_keys(tx, task), task.holdout.split)[0])


def _origin(example: Example) -> Origin:
    return Origin(example.interaction_id, example.revision)


def _dev(tx: Connection, task: TaskConfig, now: datetime) -> list[Row]:
    examples = buffer.dev_examples(tx, task.name, MOST_DEV)
    standing = standing_of(tx, task, examples)
    return [row for example in examples for row in rows_of(example, task.rewards, now, standing=standing)]


def material_of(
    task: TaskConfig, phases: Sequence[PhaseRows], champion: Adapter | None, method: str | None = None
) -> SearchMaterial | str:
    """The material of the phase of that method where it has enough, else of the one that has most to train on, or why
    that is too little. Pure."""
    wanted = [phase for phase in phases if phase.method == method and _is_enough(task, phase)]
    phase = max(wanted or phases, key=lambda phase: len(phase.batch))
    if len(phase.batch) < task.batching.min:
        return f"{len(phase.batch)} of {task.batching.min} rows to train on"
    if len(phase.dev) < MIN_DEV:
        return f"{len(phase.dev)} of {MIN_DEV} rows in the dev fold"
    again = tuple(replace(row, replay=True) for row in phase.learned[:MOST_REPLAYED])
    whole = replace(phase, learned=again)
    return SearchMaterial(phase.method, rows_to_train(whole), rows_to_judge_by(phase), champion)


def _is_enough(task: TaskConfig, phase: PhaseRows) -> bool:
    return len(phase.batch) >= task.batching.min and len(phase.dev) >= MIN_DEV


def knobs_of(task: TaskConfig, material: SearchMaterial) -> tuple[Knob, ...]:
    """What can be tuned, around what is configured. Pure."""
    own = getattr(task, material.method).model_dump()
    return knobs_for(own, rows=len(material.rows), replay_share=task.replay_share, replayable=material.replayable)
