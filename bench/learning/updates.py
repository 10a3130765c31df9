"""One update of the gym: what a crowd told becomes a batch, phases and a train job, by the daemon's own steps.

Each step names the daemon's: `offer` and `decide` (daemon.batches), `sort_rows` and `with_replay` (daemon.material),
the job (daemon.training, in `gym`). Without a store there are no folds here: all is the train fold, and there are too
few rows for early stopping.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.learning.gym import Gym, Trained
from bench.learning.settings import Pick, Setting
from bench.learning.users import Told
from daemon.config import Config, TaskConfig
from daemon.material import chooses, makes, pooled
from daemon.methods_on import methods_on
from learners import job as contract
from learners.batching import BatchExample, decide, measure
from learners.failures import CHECK, examine
from learners.lots import chance_of, lot
from learners.methods import find_method
from learners.preference import PhaseRows, rows_to_train, sort_rows, with_replay
from learners.replay import StartChoice, sample_replay
from learners.router import Methods, Standing, offer, rows_of
from learners.validators import open_validator
from storage.records import Row


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of an update and what they were told by; what making them cost in CPU seconds.

    With `limits`, all of it is the pool that the worker chooses the batch from, `failures` its kinds of failure.
    """

    rows: tuple[Row, ...]
    chosen: tuple[Told, ...]
    cpu_s: float
    limits: contract.BatchLimits | None = None
    failures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """An update that was trained: on what, and how long choosing, scoring and training took in CPU seconds."""

    trained: Trained
    batch: Batch
    lines: tuple[Row, ...]  # rows.jsonl and what learners made, which the plan's steps count in
    cpu_s: float

    @property
    def trained_on(self) -> tuple[Told, ...]:
        """What was in the batch, whoever chose it."""
        if self.trained.result.batch is None:
            return self.batch.chosen
        names = {origin.interaction_id for origin in self.trained.result.batch}
        return tuple(told for told in self.batch.chosen if told.example.interaction_id in names)


def pick_batch(pool: Sequence[Told], setting: Setting, config: Config, task: str, now: datetime, seed: int) -> Batch:
    """The batch that this setting would train on, from all that was told (oldest first); `seed` draws the lots."""
    began = time.process_time()
    found = task_of(config, task)
    failures = _failures(pool, found, now)
    standing = Standing(failing=frozenset(name for name, kinds in failures.items() if _fails_check(kinds)))
    rows = {told.example.interaction_id: rows_of(told.example, found.rewards, now, False, standing) for told in pool}
    if setting.everything:
        names, limits = set(rows), None
    elif setting.pick == "first":
        names, limits = {told.example.interaction_id for told in pool[: found.batching.max]}, None
    else:
        names, limits = _decided(pool, rows, found, now, setting.pick, str(seed).encode())
    chosen = tuple(told for told in pool if told.example.interaction_id in names)
    of_batch = tuple(row for told in chosen for row in rows[told.example.interaction_id])
    return Batch(of_batch, chosen, time.process_time() - began, limits, failures if limits else {})


def _fails_check(kinds: Sequence[str]) -> bool:
    return any(kind.startswith(CHECK) for kind in kinds)


def _decided(
    pool: Sequence[Told],
    rows: Mapping[str, tuple[Row, ...]],
    task: TaskConfig,
    now: datetime,
    pick: Pick,
    secret: bytes,
) -> tuple[set[str], contract.BatchLimits | None]:
    """The batch under the caps; or the whole pool, where a learner has a say in what goes into the batch."""
    newest_first = [(told.example, rows[told.example.interaction_id]) for told in reversed(pool)]
    offered = offer(newest_first, task.rewards, now, methods_on(task), secret)
    examples = [replace(one, lot=_lot(at, one, rows, pick, secret)) for at, one in enumerate(offered.examples)]
    evidence = measure(task.name, now, task.batching, arrivals={}, signals=(), oldest_at=None, examples=examples)
    decision = decide(evidence, task.batching)
    if not chooses(task):
        return {origin.interaction_id for origin in decision.counted}, None
    limits = contract.BatchLimits(
        size=max(1, len(decision.counted)), cap=decision.cap, min_users=task.batching.min_users
    )
    return {origin.interaction_id for origin in decision.pool or decision.counted}, limits


def _lot(at: int, example: BatchExample, rows: Mapping[str, tuple[Row, ...]], pick: Pick, secret: bytes) -> float:
    """The product's, or what takes its place where another way to pick is tried; `at` counts from the newest."""
    if pick == "newest":
        return at
    if pick == "heaviest":
        return -max(row.weight for row in rows[example.origin.interaction_id])
    return lot(chance_of(example.origin, secret), 1.0) if pick == "even" else example.lot


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
    task = task_of(config, gym.task.name)
    began = time.process_time()
    methods = methods_of(task, setting)
    phases = _phases(batch, learned, task, methods, start.replay if start else 0, seed)
    prepared_s = time.process_time() - began
    trained = gym.train(
        phases,
        methods,
        seed,
        start=champion if start and start.mode == "champion" else None,
        more=_more(gym, task, batch, champion),
        pool=pooled([told.example for told in batch.chosen], batch.rows, batch.failures) if batch.limits else (),
        arrival=setting.arrival,
        look_every=look_every,
    )
    lines = (*(row for phase in phases for row in rows_to_train(phase)), *trained.made)
    return Ended(trained, batch, lines, batch.cpu_s + prepared_s + trained.cpu_s)


def methods_of(task: TaskConfig, setting: Setting) -> Methods:
    """The product's; the baseline without a floor imitates what was not liked as well, which the product never does."""
    if not setting.arrival:
        return methods_on(task)
    imitates_all = replace(find_method("sft"), takes=lambda row, _: row.role != "pair" and row.ending is None)
    return [(imitates_all if method.name == "sft" else method, own) for method, own in methods_on(task)]


def _phases(
    batch: Batch, learned: Sequence[Row], task: TaskConfig, methods: Methods, replay: int, seed: int
) -> tuple[PhaseRows, ...]:
    wanted = task.preference
    found = sort_rows(batch.rows, learned, (), methods, wanted)
    new = {row.origin.interaction_id for row in batch.rows}
    again = [row for phase in found.phases for row in phase.learned]
    return with_replay(found.phases, sample_replay(again, replay, seed, without=new), wanted)


def _more(gym: Gym, task: TaskConfig, batch: Batch, champion: Path | None) -> dict[str, Any]:
    """What the job says of learners, as `daemon.training` fills it; there is no gate here to be kept apart from."""
    found: dict[str, Any] = {
        "learners": {name: own.model_dump() for name, own in task.hooks.items() if task.learners.on(name)},
        "batch": batch.limits,
        "champion_path": None if champion is None else str(champion),
        "off_policy": task.off_policy.model_dump(),
    }
    if makes(task):
        name, settings = gym.task.validator
        found["validator"] = contract.ValidatorChoice(name=name, settings=settings)
    return found


def _failures(pool: Sequence[Told], task: TaskConfig, now: datetime) -> dict[str, tuple[str, ...]]:
    """In which kinds the answers fail, as the daemon's look at failures finds them; nothing where no learner asks."""
    if not task.learners.on("hard_negatives") or task.validator is None:
        return {}
    validator = open_validator(task.validator.name, task.validator.settings)
    found = examine([(told.example, "base") for told in pool], {}, {}, task.rewards, validator, now)
    return {one.interaction_id: one.kinds for one in found.diagnoses}


def task_of(config: Config, name: str) -> TaskConfig:
    """The task as the gym configured it."""
    found = config.task(name)
    assert found is not None, "the gym's configuration names its task"
    return found
