"""Runs cells: each in a worker process that keeps its bases loaded, one file a cell, what is done stays done."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import connection
from pathlib import Path
from typing import Any

from bench.learning.bases import BaseRecord, check, ensure, recorded
from bench.learning.cells import Cell, not_in_this_version, write_cell
from bench.reporting import commit, machine, progress


def run_cells(cells: Sequence[Cell], folder: Path, workers: int = 1, deadline_s: float | None = None) -> int:
    """Runs what is not there yet, in this order, from bases that are frozen. Returns how many it ran.

    After `deadline_s` it takes on no more.
    """
    frozen = {name for name, record in recorded().items() if record.frozen}
    ready = [cell for cell in cells if not not_in_this_version(cell) and f"{cell.task}/{cell.base}" in frozen]
    due = [cell for cell in ready if not (folder / cell.path).exists()]
    until = time.monotonic() + (deadline_s or float("inf"))
    stamp = {"commit": commit(), "machine": machine()}
    ran = 0
    with progress() as shown:
        bar = shown.add_task(f"{len(due)} cells", total=len(due))
        for _ in _results(due, folder, stamp, workers, until):
            ran += 1
            shown.update(bar, advance=1)
    return ran


def _results(due: Sequence[Cell], folder: Path, stamp: dict[str, str], workers: int, until: float) -> Any:
    if workers == 1:
        for cell in due:
            if time.monotonic() > until:
                return
            yield run_cell(cell, folder, stamp)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
        waiting, left = set(), iter(due)
        for cell in left:
            waiting.add(pool.submit(run_cell, cell, folder, stamp))
            if len(waiting) < 2 * workers:
                continue
            done = next(as_completed(waiting))
            waiting.remove(done)
            yield done.result()
            if time.monotonic() > until:
                break
        for done in as_completed(waiting):
            yield done.result()


def end_with_parent() -> None:
    """A worker whose parent was killed ends at once: else it would wait for its next cell for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), name="watch-parent", daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def run_cell(cell: Cell, folder: Path, stamp: dict[str, str]) -> Path:
    """One cell, and its file."""
    from bench.learning.attacks import run_attack  # loads torch
    from bench.learning.drift import run_drift
    from bench.learning.single import run_single

    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.monotonic()
    gym, record = _gym(cell.task, cell.base)
    kinds = {"update": run_single, "curve": run_single, "ask": run_single, "attack": run_attack, "drift": run_drift}
    found = kinds[cell.kind](gym, record, cell)
    about = {**stamp, "base_hash": gym.base.hash, "seconds": round(time.monotonic() - began, 2)}
    write_cell(folder, cell, {**found, **about})
    return cell.path


@lru_cache(maxsize=4)
def _gym(task: str, base: str) -> tuple[Any, BaseRecord]:
    from bench.learning.gym import Gym

    record = recorded()[f"{task}/{base}"]
    gym = Gym(task, ensure(record.recipe))
    atexit.register(gym.close)
    check(record, gym)
    return gym, record
