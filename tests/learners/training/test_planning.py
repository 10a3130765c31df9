"""The worker chooses the batch where it is asked to, and trains on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from learners.job import BatchLimits, Pooled, TrainResult
from learners.job_files import read_plan, read_result, write_pool
from learners.training.worker import perform
from storage.records import Row
from tests.learners.training.tiny import make_job, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

ACTIVE = {"active": {"random": 0.5}}


def train(directory: Path, base: Path, rows: list[Row], **changes: Any) -> TrainResult:
    settings = {"learning_rate": 0.02, "steps": 3, "batch_size": 4}
    make_job(directory, base, rows, settings=settings, **changes)
    pool = [one for one in rows if not one.replay]
    write_pool(directory, [Pooled(origin=one.origin, users=(at % 4,), weight=1.0) for at, one in enumerate(pool)])
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    assert result.outcome == "trained", result.reason
    return result


def lines(directory: Path) -> set[int]:
    return {line for step in read_plan(directory) for line in step.rows}


def test_only_the_chosen_and_what_is_replayed_is_trained_on(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at) for at in range(12)] + [row(at, replay=True) for at in (12, 13)]
    result = train(tmp_path / "job", tiny_base, rows, learners=ACTIVE, batch=BatchLimits(size=4, cap=4))
    assert result.batch is not None
    assert len(result.batch) == 4
    assert lines(tmp_path / "job") == {int(one.interaction_id[1:]) for one in result.batch} | {12, 13}
    assert result.rows == 6
    assert result.learners["active"].numbers["brought"] >= 3  # the batch opens with the heaviest


def test_what_does_not_fit_is_never_chosen(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at, completion="x" * 400 if at < 8 else None) for at in range(12)]
    result = train(tmp_path / "job", tiny_base, rows, learners=ACTIVE, batch=BatchLimits(size=6, cap=6))
    assert {one.interaction_id for one in result.batch or ()} == {"i8", "i9", "i10", "i11"}


def test_the_same_directory_chooses_the_same(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at) for at in range(12)]
    chosen = [
        train(tmp_path / name, tiny_base, rows, learners=ACTIVE, batch=BatchLimits(size=5, cap=5)).batch
        for name in ("a", "b")
    ]
    assert chosen[0] == chosen[1]


def test_a_curriculum_that_leaves_rows_out_says_whose(tmp_path: Path, tiny_base: Path) -> None:
    rows = [row(at) for at in range(8)]
    result = train(tmp_path / "job", tiny_base, rows, learners={"curriculum": {"noise": 0.25, "probe_steps": 2}})
    assert len(result.left_out) == 2
    assert lines(tmp_path / "job") <= set(range(8)) - {int(one.interaction_id[1:]) for one in result.left_out}
    assert result.learners["curriculum"].numbers == {"noise": 0.25, "left_out": 2.0}
    assert [stage.name for stage in result.phases[0].stages] == ["easy", "medium", "hard"]
    assert {step.stage for step in read_plan(tmp_path / "job")} == {"easy", "medium", "hard"}
