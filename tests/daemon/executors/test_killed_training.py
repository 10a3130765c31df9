"""A training worker that is killed for real: the next attempt goes on from its last checkpoint, to the same bytes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from daemon.executors.local import LocalExecutor
from learners.job import CHECKPOINT, RESULT, Lora, Model, TrainResult
from learners.job_files import CHECKPOINT_BEFORE, copy_checkpoint, find_checkpoint, is_copy, read_progress, read_result
from tests.learners.training.tiny import make_job, row

pytestmark = [pytest.mark.train, pytest.mark.slow]
STEPS = 40
PATIENCE_S = 120.0


def prepared(directory: Path, base: Path, **changes: Any) -> Path:
    """With dropout, so that random numbers count, and a dev fold, so that the best weights do."""
    settings = {"learning_rate": 0.02, "steps": STEPS, "batch_size": 4, "patience": STEPS}
    model = Model(max_context=256, lora=Lora(rank=4, alpha=8, dropout=0.2))
    dev = [row(number) for number in range(20, 28)]
    make_job(directory, base, [row(n) for n in range(9)], dev=dev, settings=settings, model=model, **changes)
    return directory


def trained(executor: LocalExecutor, directory: Path) -> TrainResult:
    handle, deadline = executor.submit(directory), time.monotonic() + PATIENCE_S
    while executor.poll(handle).state == "running":
        assert time.monotonic() < deadline, "the worker hangs"
        time.sleep(0.01)
    result = read_result(directory)
    assert isinstance(result, TrainResult), executor.poll(handle).reason
    assert result.outcome == "trained", result.reason
    return result


def killed(executor: LocalExecutor, directory: Path) -> None:
    """As soon as a checkpoint is there."""
    handle, deadline = executor.submit(directory), time.monotonic() + PATIENCE_S
    while find_checkpoint(directory) is None:
        assert executor.poll(handle).state == "running", executor.poll(handle).reason
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.001)
    os.kill(handle.pid, signal.SIGKILL)
    while executor.poll(handle).state == "running":
        time.sleep(0.01)
    assert executor.poll(handle).state == "crashed"
    assert not (directory / RESULT).exists(), "it was done before it was killed: more STEPS are needed"


def test_a_killed_worker_costs_only_what_came_after_its_checkpoint(
    executor: LocalExecutor, tmp_path: Path, tiny_base: Path
) -> None:
    whole = trained(executor, prepared(tmp_path / "whole", tiny_base))
    first = prepared(tmp_path / "first", tiny_base, checkpoint_every_s=1e-6)
    killed(executor, first)
    second = prepared(tmp_path / "second", tiny_base)
    copy_checkpoint(first, second)
    resumed = trained(executor, second)
    assert resumed.files == whole.files, "not the same bytes"
    plain = {"seconds", "warm"}
    assert resumed.model_dump(exclude=plain) == whole.model_dump(exclude=plain)
    begun = min(line.done for line in read_progress(second))
    assert 1 < begun <= STEPS, "it began anew instead of going on"


def test_a_kill_between_the_two_renames_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_BEFORE).mkdir()
    assert find_checkpoint(tmp_path) == tmp_path / CHECKPOINT_BEFORE
    (tmp_path / CHECKPOINT).mkdir()
    assert find_checkpoint(tmp_path) == tmp_path / CHECKPOINT


def test_a_copied_checkpoint_is_known_as_one_until_the_attempt_saves_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / CHECKPOINT).mkdir(parents=True)
    second.mkdir()
    copy_checkpoint(first, second)
    assert not is_copy(first / CHECKPOINT)
    assert is_copy(second / CHECKPOINT)
