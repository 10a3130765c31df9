"""Cells of one update: what the champion scores after it, and what it took to get there.

A crowd has said something of ten times as many answers of the base as an update takes. The setting picks its batch,
trains on it from the base, and the outcome sits the exam. `curve` does the same and looks every five steps. In `ask`
nobody has said anything yet, and the pool is as large for every number of labels (`asking`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.learning.asking import ask_about
from bench.learning.bases import BaseRecord
from bench.learning.cells import BACKLOG, MOST_ROWS, Cell
from bench.learning.gym import Gym, TrainingFailed
from bench.learning.metrics import measure
from bench.learning.settings import TUNER, find_setting, in_force
from bench.learning.tasks import Faults
from bench.learning.tuning import tune
from bench.learning.updates import Ended, pick_batch, run_update, task_of
from bench.learning.users import NOW, Crowd, Told, tell
from daemon.config import Config
from examples.erd.world import Pool
from learners.tuner import RATE, STEPS, of_method

LOOK_EVERY = 5
LOOK_PROMPTS = 60  # plain prompts of the exam that every look is scored on
HARDEST = 0.1  # the share of the pool, by the base's score, that counts as hard


def run_single(gym: Gym, record: BaseRecord, cell: Cell) -> dict[str, Any]:
    """What came of the cell."""
    setting, point = find_setting(cell.setting), cell.point
    config = config_of(gym, cell)
    tuned = tune(gym, record, cell, config) if TUNER in setting.learners else None
    if tuned is not None and tuned.adopted:
        config = config_of(gym, cell, tuned.settings)
    pool, scored_s = told_pool(gym, record, cell)
    offered, asked_s = _offered(gym, pool, cell, config)
    scored_s = asked_s + scored_s * len(offered) / len(pool)
    batch = pick_batch(offered, setting, config, gym.task.name, NOW, cell.seed)
    found: dict[str, Any] = {
        "base_metrics": asdict(gym.base_metrics(cell.seed)),
        "labels": min(len(batch.chosen), point.rows),
        **(tuned.told() if tuned else {}),
    }
    try:
        every = LOOK_EVERY if cell.kind == "curve" else None
        ended = run_update(gym, batch, setting, config, cell.seed, look_every=every)
    except TrainingFailed as failed:
        return {**found, "failed": str(failed), "metrics": found["base_metrics"], "cpu_s": batch.cpu_s, "steps": 0}
    found |= {"labels": len(ended.trained_on), **_outcome(gym, cell, ended, pool, scored_s)}
    gym.forget(ended.trained)
    return found


def config_of(gym: Gym, cell: Cell, tuned: Mapping[str, Any] = MappingProxyType({})) -> Config:
    """Of the setting at the point, with what the tuner found laid over it."""
    setting, point = find_setting(cell.setting), cell.point
    steps = "auto" if setting.everything else of_method(tuned).get(STEPS, point.steps)
    rate = tuned.get(RATE, point.rate)
    return in_force(gym.task, setting, rows=point.rows, steps=steps, rate=rate)


def _offered(gym: Gym, pool: Sequence[Told], cell: Cell, config: Config) -> tuple[Sequence[Told], float]:
    """What the setting has feedback on: all of it, or what people were asked about; and the CPU seconds of asking."""
    setting, began = find_setting(cell.setting), time.process_time()
    if setting.asks is None:
        return pool, 0.0
    asked = ask_about(pool, setting, task_of(config, gym.task.name), cell.point.rows, cell.seed)
    return asked, time.process_time() - began


def told_pool(gym: Gym, record: BaseRecord, cell: Cell) -> tuple[list[Told], float]:
    """What the crowd said of the base's answers, the same for every setting; and the CPU seconds of its signals. Where
    people have to be asked first, what they would say."""
    point, count = cell.point, BACKLOG * (MOST_ROWS if cell.kind == "ask" else cell.point.rows)
    asks = gym.asks(Pool.EVENTS, cell.seed, count, point.rare)
    replies = gym.base_replies(Pool.EVENTS, cell.seed, count, point.rare)
    crowd = Crowd(noise=point.noise, kind=point.feedback)
    began = time.process_time()
    told = tell(gym.task, Faults(record.recipe.faults), asks, replies, crowd, cell.seed, NOW)
    return told, time.process_time() - began


def _outcome(gym: Gym, cell: Cell, ended: Ended, pool: Sequence[Told], scored_s: float) -> dict[str, Any]:
    result = ended.trained.result
    found: dict[str, Any] = {
        "metrics": asdict(gym.metrics(cell.seed, ended.trained.adapter)),
        "cpu_s": round(scored_s + ended.cpu_s, 3),
        "steps": result.steps,
        "kl": result.kl,
        "phases": {phase.method: phase.rows for phase in result.phases},
        "learners": {name: report.numbers for name, report in result.learners.items()},
        **shares(ended, pool),
    }
    if cell.kind == "curve":
        found["curve"] = [
            {
                "step": step,
                "cpu_s": round(scored_s + ended.batch.cpu_s + cpu_s, 3),
                "score": _look(gym, cell.seed, folder),
            }
            for step, folder, cpu_s in ended.trained.snapshots
        ]
    return found


def _look(gym: Gym, seed: int, folder: Path) -> float:
    asks = gym.exam(seed)[:LOOK_PROMPTS]
    return round(measure(gym.judge(asks, folder), LOOK_PROMPTS).score, 4)


def _merit(told: Told) -> float:
    """The base's score, one less where it missed the edge case."""
    return told.judged.score - (told.judged.edge is False)


def shares(ended: Ended, pool: Sequence[Told]) -> dict[str, float]:
    """Of all places in the plan, how many were of the hardest tenth of the pool, of noise, of edge cases."""
    by_chance = {told.example.interaction_id: random.Random(told.example.interaction_id).random() for told in pool}
    worst = sorted(pool, key=lambda told: (_merit(told), by_chance[told.example.interaction_id]))  # many are equal
    hard = {told.example.interaction_id for told in worst[: round(HARDEST * len(pool))]}
    noisy = {told.example.interaction_id for told in pool if told.noisy}
    rare = {told.example.interaction_id for told in pool if told.ask.rare}
    places = [ended.lines[line].origin.interaction_id for step in ended.trained.steps for line in step]
    count = max(1, len(places))
    return {
        "hard_share": round(sum(name in hard for name in places) / count, 4),
        "noisy_share": round(sum(name in noisy for name in places) / count, 4),
        "rare_share": round(sum(name in rare for name in places) / count, 4),
    }
