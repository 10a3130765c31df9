"""Cells of fifty updates in a row, while what people ask for moves through the world.

Each update sees asks of a quarter of the world, and the window moves on. Three ways: as the product does it (from the
base on everything while that fits, behind the gate), the same without the gate, and always on from the champion with
nothing replayed. Read every five updates: the exam over the whole world, and what the first window's asks score now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import fmean
from typing import Any

from bench.learning.attacks import Line
from bench.learning.bases import BaseRecord
from bench.learning.cells import Cell
from bench.learning.gym import Gym
from bench.learning.settings import find_setting, in_force
from bench.learning.tasks import Ask, Faults
from bench.learning.updates import pick_batch
from bench.learning.users import NOW, Crowd, tell
from examples.erd.world import Pool
from learners.replay import StartChoice

UPDATES = 50
TOLD = 40  # interactions with feedback an update
READ_EVERY = 5
FIRST_PROMPTS = 40
WINDOW = 0.25  # of the homes


def run_drift(gym: Gym, record: BaseRecord, cell: Cell, updates: int = UPDATES) -> dict[str, Any]:
    """`read`: (updates done, score of the exam, score on the first window's asks, share of the commonest answer)."""
    point, setting = cell.point, find_setting(cell.setting)
    config = in_force(gym.task, setting, rows=point.rows, steps=60)
    line, crowd = Line(gym, cell, config), Crowd(noise=point.noise)
    on = StartChoice("champion", 0, "always on from the champion") if point.name == "drift-champion-only" else None
    first = _asks_of(gym, Pool.SCORE, cell.seed, 0, updates, FIRST_PROMPTS)
    read = [_read(line, 0, first)]
    for number in range(updates):
        asks = _asks_of(gym, Pool.EVENTS, 1000 * cell.seed + number, number, updates, TOLD)
        told = tell(
            gym.task,
            Faults(record.recipe.faults),
            asks,
            line.answers(asks),
            crowd,
            cell.seed + number,
            NOW,
            prefix=f"u{number}-",
        )
        batch = pick_batch(told, setting, config, gym.task.name, NOW, 1000 * cell.seed + number)
        line.update(batch, gated=point.name == "drift-product", start=on if line.champion else None)
        if (number + 1) % READ_EVERY == 0:
            read.append(_read(line, number + 1, first))
    return {
        "metrics": line.exam(),
        "base_metrics": read[0]["exam"],
        "read": [{**one, "exam": round(one["exam"]["score"], 4), "alike": one["exam"]["alike"]} for one in read],
        "verdicts": line.verdicts,
        "cpu_s": round(line.cpu_s, 3),
    }


def _read(line: Line, done: int, first: Sequence[Ask]) -> dict[str, Any]:
    scored = [judged.score for _, judged in line.gym.judge(first, line.champion)]
    return {"updates": done, "exam": line.exam(), "first": round(fmean(scored), 4)}


def _asks_of(gym: Gym, pool: Pool, seed: int, number: int, updates: int, count: int) -> list[Ask]:
    """Of the window that update `number` sees."""
    homes, size = gym.task.homes, max(1, round(WINDOW * len(gym.task.homes)))
    at = number * len(homes) // updates
    window = {homes[(at + step) % len(homes)] for step in range(size)}
    return list(islice(_within(gym, pool, seed, window), count))


def _within(gym: Gym, pool: Pool, seed: int, window: set[str]) -> Iterator[Ask]:
    for ask in gym.task.asks(pool, seed, 0.05):
        if gym.task.home_of(ask) in window:
            yield ask
