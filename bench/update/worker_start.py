"""The same train job of 20 examples by a warm worker and by a script that starts from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.reporting import ROOT
from bench.update.material import TASK, rows
from daemon.executors.local import LocalExecutor
from learners.base import base_hash
from learners.job import DEV_ROWS, ROWS, Base, Lora, Model, Phase, Start, TrainJob, TrainResult
from learners.job_files import read_result, write_job, write_rows

EXAMPLES = 20
LIMIT_S = 600.0
LOOK_EVERY_S = 0.01


def warm_and_cold(
    base: Path, folder: Path, times: int, seed: int, threads: int, done: Callable[[], None]
) -> tuple[float, float]:
    """Median seconds from asking for the job to its result: a warm worker, a script. They take turns."""
    executor = LocalExecutor()
    try:
        _by_worker(executor, _job(folder / "first", base, seed, threads))  # the server has loaded its libraries then
        warm, cold = list[float](), list[float]()
        for turn in range(times):
            warm.append(_by_worker(executor, _job(folder / f"warm-{turn}", base, seed, threads)))
            cold.append(_by_script(_job(folder / f"cold-{turn}", base, seed, threads)))
            done()
    finally:
        executor.close()
    return median(warm), median(cold)


def _job(directory: Path, base: Path, seed: int, threads: int) -> Path:
    directory.mkdir(parents=True)
    job = TrainJob(
        task=TASK,
        update_id=1,
        candidate=f"{TASK}@v1",
        phases=(Phase(method="sft", settings={"learning_rate": 2.5e-3}),),
        seed=seed,
        base=Base(path=str(base), hash=base_hash(base)),
        start=Start(mode="base"),
        model=Model(max_context=512, lora=Lora(dropout=0.0)),
        threads=threads,
    )
    write_job(directory, job)
    write_rows(directory / ROWS, rows(EXAMPLES, seed))
    write_rows(directory / DEV_ROWS, [])
    return directory


def _by_worker(executor: LocalExecutor, directory: Path) -> float:
    began = time.monotonic()
    handle = executor.submit(directory)
    while executor.poll(handle).state == "running":
        time.sleep(LOOK_EVERY_S)
    return _checked(directory, time.monotonic() - began)


def _by_script(directory: Path) -> float:
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (directory / "script.log").open("wb") as log:
        command = [sys.executable, "-m", "bench.update.script", str(directory)]
        subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=LIMIT_S, check=False)
    return _checked(directory, time.monotonic() - began)


def _checked(directory: Path, seconds: float) -> float:
    """The seconds, if an adapter came of them. Raises RuntimeError."""
    result = read_result(directory)
    if not isinstance(result, TrainResult) or result.outcome != "trained":
        raise RuntimeError(f"the job in {directory} trained nothing: {result.reason if result else 'it crashed'}")
    return seconds
