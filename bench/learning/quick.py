"""`make bench-learning-quick`: the whole machinery on a small scale, and one claim that must hold.

One base (the example's own, which the tests have cached), the centre, SFT on two seeds. It fails where a step breaks,
or where SFT on 24 rows does not better the base. Its figures are for nobody.
"""

from __future__ import annotations

from pathlib import Path

from bench.learning.bases import recorded
from bench.learning.cells import CENTRE, Cell, read_cells, write_cell
from bench.learning.gym import Gym
from bench.learning.seeds import DEV
from bench.learning.settings import SFT
from bench.learning.single import run_single
from bench.reporting import commit, machine
from examples.erd.base import ensure_base

LEAST_GAIN = 0.1  # in [0, 1]; measured gains are three times that


class NothingLearned(Exception):
    """SFT did not better the base: something between feedback and answers is broken."""


def run_quick(folder: Path, seeds: tuple[int, ...] = DEV[:2]) -> str:
    """Runs the cells anew and says what came of them, a line a setting. Raises NothingLearned."""
    record = recorded()["erd/weak"]
    with Gym("erd", ensure_base()) as gym:
        stamp = {"commit": commit(), "machine": machine(), "base_hash": gym.base.hash}
        for seed in seeds:
            cell = Cell("update", "erd", "example", SFT.name, seed, CENTRE)
            write_cell(folder, cell, {**run_single(gym, record, cell), **stamp})
    return "\n".join(_line(one) for one in read_cells(folder))


def _line(one: dict[str, object]) -> str:
    before, after = one["base_metrics"], one["metrics"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    if after["score"] < before["score"] + LEAST_GAIN:
        raise NothingLearned(f"sft, seed {one['seed']}: {before['score']:.3f} -> {after['score']:.3f}")
    return (
        f"{one['setting']}, seed {one['seed']}: score {100 * before['score']:.1f} -> {100 * after['score']:.1f}, "
        f"{one['cpu_s']} CPU s"
    )
