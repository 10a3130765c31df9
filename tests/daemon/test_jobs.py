"""What becomes of attempts: a death of the daemon is not held against the batch, everything else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import Config
from daemon.executors import ExecutorUnavailable, Handle, JobStatus
from daemon.jobs import Crashed, Done, Jobs, Lost, Running
from storage import updates
from storage.errors import StoreUnavailable
from storage.records import Update
from storage.store import Store
from tests.storage.makers import NOW


class FakeExecutor:
    """Says of every job what it is told to say."""

    def __init__(self) -> None:
        self.says = JobStatus("running")
        self.cancelled: list[Path] = []

    def warm(self) -> None: ...

    def submit(self, directory: Path) -> Handle:
        return Handle(directory, 1)

    def poll(self, handle: Handle) -> JobStatus:
        return self.says

    def ask_to_end(self, handle: Handle) -> None: ...

    def cancel(self, handle: Handle) -> None:
        self.cancelled.append(handle.directory)

    def fetch(self, handle: Handle) -> Path:
        return handle.directory

    def close(self) -> None: ...


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def jobs(store: Store, tmp_path: Path, executor: FakeExecutor) -> Jobs:
    return Jobs(store, tmp_path / "jobs", executor, Config, lambda: NOW)


@pytest.fixture
def update(store: Store) -> Update:
    return store.write(lambda tx: updates.create_update(tx, "erd", "erd@v0", "ripe", NOW))


def test_an_attempt_of_an_earlier_daemon_is_lost_and_not_crashed(jobs: Jobs, update: Update) -> None:
    assert isinstance(jobs.look(update), Lost)


def test_an_attempt_whose_result_came_to_nothing_counts_as_crashed(
    jobs: Jobs, update: Update, executor: FakeExecutor
) -> None:
    jobs.start(update, "train", lambda _folder, _attempt: None)
    assert isinstance(jobs.look(update), Running)
    executor.says = JobStatus("done")
    assert isinstance(jobs.look(update), Done)
    assert isinstance(jobs.look(update), Crashed), "it was fetched and not used: the same again must be bounded"


def test_a_silent_worker_is_ended_and_its_attempt_has_failed(
    store: Store, jobs: Jobs, update: Update, executor: FakeExecutor
) -> None:
    jobs.start(update, "train", lambda _folder, _attempt: None)
    executor.says = JobStatus("running", heartbeat_age_s=1e6)
    found = jobs.look(update)
    assert isinstance(found, Crashed)
    assert "heartbeat" in found.reason
    assert len(executor.cancelled) == 1
    assert [job.state for job in store.read(lambda tx: updates.list_jobs(tx, update.update_id))] == ["failed"]


def test_a_store_that_is_away_for_a_moment_does_not_cost_a_finished_attempt(
    store: Store, jobs: Jobs, update: Update, executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.start(update, "train", lambda _folder, _attempt: None)
    executor.says = JobStatus("done")
    with monkeypatch.context() as away:
        away.setattr(store, "write", unavailable)
        with pytest.raises(StoreUnavailable):
            jobs.look(update)
    assert isinstance(jobs.look(update), Done)


def test_a_worker_that_cannot_be_written_down_is_ended(
    store: Store, jobs: Jobs, update: Update, executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(directory: Path) -> Handle:
        monkeypatch.setattr(store, "write", unavailable)
        return Handle(directory, 1)

    monkeypatch.setattr(executor, "submit", submit)
    with pytest.raises(StoreUnavailable):
        jobs.start(update, "train", lambda _folder, _attempt: None)
    assert len(executor.cancelled) == 1
    assert jobs.running == 0


def test_a_worker_that_cannot_be_started_leaves_nothing_behind_that_would_pile_up(
    store: Store, tmp_path: Path, jobs: Jobs, update: Update, executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(_: Path) -> Handle:
        raise ExecutorUnavailable("no memory for a worker")

    with monkeypatch.context() as patched:
        patched.setattr(executor, "submit", submit)
        for _ in range(3):
            with pytest.raises(ExecutorUnavailable):
                jobs.start(update, "train", lambda _folder, _attempt: None)
    assert not list((tmp_path / "jobs").iterdir())
    assert not store.read(lambda tx: updates.list_jobs(tx, update.update_id))
    jobs.start(update, "train", lambda _folder, _attempt: None)
    (job,) = store.read(lambda tx: updates.list_jobs(tx, update.update_id))
    assert (job.attempt, job.state) == (1, "running")


def unavailable(*_: object, **__: object) -> None:
    raise StoreUnavailable("the disk is full")


def test_the_worker_of_an_update_that_has_ended_without_it_is_ended(
    jobs: Jobs, update: Update, executor: FakeExecutor
) -> None:
    jobs.start(update, "evaluate", lambda _folder, _attempt: None)
    jobs.keep_only([update.update_id])
    assert jobs.running == 1
    jobs.keep_only([])
    assert (jobs.running, len(executor.cancelled)) == (0, 1)
