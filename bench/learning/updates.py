"""One update of the gym: what a crowd told becomes a batch, phases and a train job, by the daemon's own steps.

Each step names the daemon's: `offer` and `decide` (daemon.batches), `sort_rows` and `with_replay` (daemon.material),
the job (daemon.training, in `gym`). Without a store there are no folds here: all is the train fold, and there are too
few rows for early stopping.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.learning.gym import Gym, Trained
from bench.learning.settings import Setting
from bench.learning.users import Told
from daemon.config import Config, TaskConfig
from daemon.methods_on import methods_on
from learners import job as contract
from learners.batching import decide, measure
from learners.preference import PhaseRows, rows_to_train, sort_rows, with_replay
from learners.replay import StartChoice, sample_replay
from learners.router import offer, rows_of
from storage.records import Row


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of an update, by whom they came to be chosen, and what choosing cost in CPU seconds."""

    rows: tuple[Row, ...]
    chosen: tuple[Told, ...]
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An update that was trained: on what, and how long choosing, scoring and training took in CPU seconds."""

    trained: Trained
    batch: Batch
    lines: tuple[Row, ...]  # rows.jsonl, which the plan's steps count in
    cpu_s: float


def pick_batch(pool: Sequence[Told], setting: Setting, config: Config, task: str, now: datetime) -> Batch:
    """The batch that this setting would train on, from all that was told (oldest first)."""
    began = time.process_time()
    found = _task(config, task)
    rows = {told.example.interaction_id: rows_of(told.example, found.rewards, now) for told in pool}
    names = _names(pool, rows, setting, found, now)
    chosen = tuple(told for told in pool if told.example.interaction_id in names)
    of_batch = tuple(row for told in chosen for row in rows[told.example.interaction_id])
    return Batch(of_batch, chosen, time.process_time() - began)


def _names(
    pool: Sequence[Told], rows: Mapping[str, tuple[Row, ...]], setting: Setting, task: TaskConfig, now: datetime
) -> Collection[str]:
    if setting.everything:
        return {told.example.interaction_id for told in pool}
    if setting.pick == "first":
        return [told.example.interaction_id for told in pool][: task.batching.max]
    newest_first = [(told.example, rows[told.example.interaction_id]) for told in reversed(pool)]
    offered = offer(newest_first, task.rewards, now, methods_on(task))
    evidence = measure(
        task.name, now, task.batching, arrivals={}, signals=(), oldest_at=None, examples=offered.examples
    )
    return {origin.interaction_id for origin in decide(evidence, task.batching).counted}


def run_update(
    gym: Gym,
    batch: Batch,
    setting: Setting,
    config: Config,
    seed: int,
    *,
    learned: Sequence[Row] = (),
    start: StartChoice | None = None,
    champion: Path | None = None,
    look_every: int | None = None,
) -> Ended:
    """Train on the batch, from the base, or as `start` says from the champion and with replay of what was learned.

    Raises TrainingFailed.
    """
    task = _task(config, gym.task.name)
    began = time.process_time()
    phases = _phases(batch, learned, task, start.replay if start else 0, seed)
    prepared_s = time.process_time() - began
    trained = gym.train(
        phases,
        methods_on(task),
        seed,
        start=champion if start and start.mode == "champion" else None,
        learners=_learners(task),
        arrival=setting.arrival,
        look_every=look_every,
    )
    lines = tuple(row for phase in phases for row in rows_to_train(phase))
    return Ended(trained, batch, lines, batch.cpu_s + prepared_s + trained.cpu_s)


def _phases(
    batch: Batch, learned: Sequence[Row], task: TaskConfig, replay: int, seed: int
) -> tuple[PhaseRows, ...]:
    wanted = task.learners.preference
    found = sort_rows(batch.rows, learned, (), methods_on(task), wanted)
    new = {row.origin.interaction_id for row in batch.rows}
    again = [row for phase in found.phases for row in phase.learned]
    return with_replay(found.phases, sample_replay(again, replay, seed, without=new), wanted)


def _learners(task: TaskConfig) -> contract.LearnersOn:
    switched = task.learners.model_dump()
    return contract.LearnersOn.model_validate(
        {name: switched[name] for name in contract.LearnersOn.model_fields if name in switched}
    )


def _task(config: Config, name: str) -> TaskConfig:
    found = config.task(name)
    assert found is not None, "the gym's configuration names its task"
    return found
