"""What an attempt is given where a learner chooses the batch: no more, and nothing else, than the batch by default."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.batches import Batches
from daemon.config import Config, TaskConfig
from daemon.executors import JobStatus
from daemon.jobs import Jobs
from daemon.material import Material, gather, row_passes
from daemon.training import Training
from learners.job import CHECKPOINT, Base, TrainResult
from learners.job_files import write_result
from storage import registry, updates
from storage.artifacts import Artifacts
from storage.records import Adapter, Example, Target, Update
from storage.store import Store
from tests.daemon.test_jobs import FakeExecutor
from tests.daemon.test_preference import compared, corrected
from tests.storage.makers import NOW, keep, later

LARGEST = 40


class Daemon:
    """As much of one as begins updates; its workers do what `executor` says."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.executor, self.folder = store, FakeExecutor(), folder
        self.learners: dict[str, object] = {"active": True}
        self.updates: dict[str, object] = {"sft": {"steps": 40, "batch_size": 8}}
        self.passed = timedelta()
        jobs = Jobs(store, folder / "jobs", self.executor, self.config, lambda: NOW)
        base = Base(path="base", hash="base")
        self.training = Training(store, Artifacts(folder), jobs, base, self.config, lambda: NOW + self.passed)
        store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))

    def config(self) -> Config:
        return Config.model_validate(
            {
                "rewards": {"settle": "0s"},
                "batching": {"min": 10, "max": LARGEST, "max_wait": "1s", "max_share_per_user": 1, "min_users": 1},
                "updates": self.updates,
                "learners": self.learners,
                "tasks": {"erd": {}},
            }
        )

    @property
    def task(self) -> TaskConfig:
        found = self.config().task("erd")
        assert found is not None
        return found

    def begin(self, champion: str = "erd@v0") -> None:
        batches = Batches(self.store, lambda: later(10))
        batches.ask("erd")
        batches.consider(self.task, ["erd"], champion, None)

    def update(self) -> Update:
        return self.store.read(lambda tx: updates.list_updates(tx, "erd"))[0]

    def attempt(self) -> Update:
        self.training.start(self.update(), self.task)
        return self.update()

    def material(self) -> Material:
        return self.store.read(lambda tx: gather(tx, self.update(), self.task, NOW))


@pytest.fixture
def daemon(store: Store, tmp_path: Path) -> Daemon:
    return Daemon(store, tmp_path)


def old(count: int) -> list[Example]:
    """Corrections with a comparison each, which weigh so little that the batch by default has none of them."""
    past = NOW - timedelta(days=90)
    target = Target("by hand", 0.2, past, None)
    return [
        replace(one, correction=target, pairs=tuple(replace(each, effective_at=past) for each in one.pairs))
        for one in compared(count)
    ]


def test_phases_are_those_of_the_batch_and_not_of_the_pool_that_a_learner_chooses_from(daemon: Daemon) -> None:
    daemon.store.write(lambda tx: keep(tx, *corrected(60), *old(20)))
    daemon.begin()
    found = daemon.material()
    assert len(found.pool) == 80
    assert found.sorted.preference.method is None
    assert found.sizes == {"sft": LARGEST, "dpo": 0, "kto": 0}


def test_start_and_passes_are_chosen_for_a_batch_and_not_for_the_pool(daemon: Daemon) -> None:
    daemon.store.write(lambda tx: keep(tx, *corrected(60)))
    daemon.begin()
    size = daemon.update().report["limits"]["size"]
    found = daemon.material()
    assert (len(found.batch), found.sizes["sft"]) == (60, size)
    assert row_passes(found.sorted.phases, found.sizes, daemon.task, 0) == pytest.approx(40 * 8 / size)
    assert daemon.attempt().report["start"].startswith(f"fresh from the base on {size} new and 0 replayed")


def test_a_retry_without_the_learner_that_chose_trains_on_the_batch_alone(daemon: Daemon) -> None:
    daemon.store.write(lambda tx: keep(tx, *corrected(60)))
    daemon.begin()
    reserved = daemon.update().report
    first = daemon.attempt()
    assert (first.report["batch"], first.batch_size) == (reserved["batch"], reserved["limits"]["size"])
    daemon.executor.says = JobStatus("crashed", reason="lost")
    daemon.training.watch(first)
    daemon.learners["active"] = False
    assert len(daemon.material().batch) == reserved["limits"]["size"] < 60
    assert daemon.attempt().report["batch"] == reserved["batch"]


@pytest.mark.parametrize("lost", ["job.json", "rows.jsonl"])
def test_an_attempt_whose_files_are_broken_is_not_gone_on_with_and_holds_nothing_up(
    daemon: Daemon, tmp_path: Path, lost: str
) -> None:
    daemon.learners["active"] = False
    daemon.store.write(lambda tx: keep(tx, *corrected(60)))
    daemon.begin()
    first = daemon.attempt()
    (folder,) = (tmp_path / "jobs").iterdir()
    (folder / CHECKPOINT).mkdir()
    daemon.executor.says = JobStatus("crashed", reason="killed")
    daemon.training.watch(first)
    (folder / lost).unlink()
    daemon.executor.says = JobStatus("running")
    second = daemon.attempt()
    assert second.state == "running"
    assert "resumed" not in second.report


def test_going_on_from_a_champion_of_another_shape_is_said(daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "erd" / "v1"
    folder.mkdir(parents=True)
    shape = {"r": 16, "lora_alpha": 16, "use_rslora": True, "use_dora": False}
    (folder / "adapter_config.json").write_text(json.dumps(shape), encoding="utf-8")
    adapter = Adapter("erd@v1", "erd", 1, "base", None, None, NOW, "candidate", "erd/v1")
    daemon.store.write(lambda tx: registry.add_candidate(tx, adapter))
    daemon.store.write(lambda tx: registry.set_champion(tx, "erd", "erd@v1", NOW, "by hand"))
    daemon.updates["start"] = "champion"
    daemon.learners["active"] = False
    daemon.store.write(lambda tx: keep(tx, *corrected(60)))
    daemon.begin("erd@v1")
    told = daemon.attempt().report["start"]
    assert told.endswith(
        "its shape stays (alpha 16, rslora True): what model.lora says now is for updates from the base"
    )


def test_a_service_that_is_away_for_minutes_costs_no_batch(daemon: Daemon) -> None:
    daemon.learners["active"] = False
    daemon.store.write(lambda tx: keep(tx, *corrected(60)))
    daemon.begin()
    for attempts, pause_s in ((1, 30), (2, 120)):
        ends_without_the_service(daemon, daemon.attempt())
        assert (daemon.update().state, daemon.update().attempts) == ("queued", attempts)
        daemon.passed += timedelta(seconds=pause_s - 1)
        assert daemon.attempt().state == "queued", "not again at once"
        daemon.passed += timedelta(seconds=2)
    ends_without_the_service(daemon, daemon.attempt())
    assert daemon.update().state == "failed"
    assert daemon.update().reason == "3 attempts failed, the last because: the validator's service does not answer"
    daemon.begin()
    assert daemon.update().update_id == 2, "the batch went back, and nothing of it was set aside"
    assert len(daemon.material().batch) == LARGEST


def ends_without_the_service(daemon: Daemon, update: Update) -> None:
    assert update.state == "running"
    folder = sorted((daemon.folder / "jobs").iterdir())[-1]
    reason = "the validator's service does not answer"
    write_result(folder, TrainResult(outcome="failed", reason=reason, candidate="erd@v1", try_again=True))
    daemon.executor.says = JobStatus("done")
    daemon.training.watch(update)
    daemon.executor.says = JobStatus("running")
