"""The worker chooses the batch from the pool, and the store keeps to that. Store, jobs and trainer are real."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from daemon.actions.context import Context
from daemon.actions.updates import show_update
from daemon.batches import Batches
from daemon.cli.one_update import lines_of
from daemon.config import Config, TaskConfig
from daemon.executors import Handle, JobStatus
from daemon.jobs import Jobs
from daemon.training import Training
from learners.base import base_hash
from learners.job import Base
from learners.job_files import read_job, read_made, read_pool
from storage import buffer, decisions, registry, reservations, updates
from storage.artifacts import Artifacts
from storage.records import Example, Message, Origin, Target, Update
from storage.store import Store
from tests.learners.training.tiny import make_base
from tests.storage.makers import NOW, example, keep, later

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

USERS, PER_USER = 6, 5


class InThisProcess:
    """An executor that has done the job before `submit` returns."""

    def warm(self) -> None: ...

    def submit(self, directory: Path) -> Handle:
        from learners.training.worker import perform

        perform(directory)
        return Handle(directory, 0)

    def poll(self, handle: Handle) -> JobStatus:
        return JobStatus("done")

    def fetch(self, handle: Handle) -> Path:
        return handle.directory

    def ask_to_end(self, handle: Handle) -> None: ...

    def cancel(self, handle: Handle) -> None: ...

    def close(self) -> None: ...


class Learning:
    """As much of a daemon as begins and trains an update."""

    def __init__(self, store: Store, folder: Path, **learners: Any) -> None:
        base = make_base(folder / "base")
        self.config = Config.model_validate(
            {
                "model": {"base": str(base), "max_context": 256, "lora": {"rank": 4, "alpha": 8}},
                "rewards": {"settle": "0s"},
                "batching": {"min": 8, "max": 12, "max_wait": "1s", "max_share_per_user": 0.3, "min_users": 3},
                "updates": {"sft": {"learning_rate": 0.02, "steps": 4, "batch_size": 4}, **learners.pop("updates", {})},
                "learners": learners,
                "tasks": {"erd": {}},
            }
        )
        self.store = store
        jobs = Jobs(store, folder / "jobs", InThisProcess(), lambda: self.config, lambda: NOW)
        told = Base(path=str(base), hash=base_hash(base))
        self._training = Training(store, Artifacts(folder / "artifacts"), jobs, told, lambda: self.config, lambda: NOW)
        self._folder = folder
        self.context = Context(store, Artifacts(folder / "artifacts"), lambda: self.config)
        store.write(lambda tx: registry.ensure_line(tx, "erd", told.hash, NOW))

    @property
    def task(self) -> TaskConfig:
        found = self.config.task("erd")
        assert found is not None
        return found

    def update(self) -> Update:
        return self.store.read(lambda tx: updates.list_updates(tx, "erd"))[0]

    def train(self) -> Update:
        Batches(self.store, lambda: later(10)).consider(self.task, ["erd"], "erd@v0", None)
        return self.goes_on()

    def goes_on(self) -> Update:
        self._training.start(self.update(), self.task)
        self._training.watch(self.update())
        found = self.update()
        assert found.state == "trained", found.reason
        return found

    def job(self) -> Path:
        (folder,) = (self._folder / "jobs").iterdir()
        return folder


def corrections() -> list[Example]:
    found = []
    for number in range(USERS * PER_USER):
        user, text = f"secret user {number % USERS}", f"answer {number}" + "!" * (number % 9)
        one = example(f"c{number}", correction=Target(text, 0.2, NOW, user), scalar=None, user_id=user, users=(user,))
        found.append(replace(one, messages=(Message("user", f"question {number}"),)))
    return found


@pytest.fixture
def filled(store: Store) -> Store:
    store.write(lambda tx: keep(tx, *corrections()))
    return store


def test_what_the_worker_chose_is_learned_and_the_rest_returns(filled: Store, tmp_path: Path) -> None:
    learning = Learning(filled, tmp_path, active=True)
    update = learning.train()
    pool, batch = read_pool(learning.job()), update.report["batch"]
    assert len(pool) == USERS * PER_USER
    assert len(batch) == update.batch_size == update.report["limits"]["size"] < len(pool)
    cap = update.report["limits"]["cap"]
    users = {one.interaction_id: one.users for one in corrections()}
    assert max(Counter(user for name, _ in batch for user in users[name]).values()) <= cap
    assert update.report["training"]["learners"]["active"]["numbers"]["brought"] > 0
    held = [origin for origin, _ in filled.read(lambda tx: reservations.reserved_examples(tx, update.update_id))]
    used = [origin for origin in held if [origin.interaction_id, origin.revision] in batch]
    released = filled.write(lambda tx: reservations.release(tx, update.update_id, used, "promoted"))
    assert (released.learned, released.returned) == (len(batch), len(pool) - len(batch))


def test_an_update_that_an_older_daemon_began_has_its_limits_by_its_size(filled: Store, tmp_path: Path) -> None:
    learning = Learning(filled, tmp_path, active=True)
    Batches(filled, lambda: later(10)).consider(learning.task, ["erd"], "erd@v0", None)
    begun = learning.update()
    report = {name: value for name, value in begun.report.items() if name != "limits"}
    filled.write(lambda tx: updates.change_update(tx, begun, "queued", NOW, report=report))
    update = learning.goes_on()
    size = len(report["batch"])
    job = read_job(learning.job())
    assert job.kind == "train"
    assert job.batch is not None
    assert (job.batch.size, job.batch.cap) == (size, ceil(0.3 * size))
    assert update.batch_size <= size


def test_the_job_names_no_user(filled: Store, tmp_path: Path) -> None:
    learning = Learning(filled, tmp_path, active=True)
    learning.train()
    assert not [file for file in learning.job().rglob("*.json*") if "secret" in file.read_text()]


def test_without_a_learner_that_chooses_the_batch_is_the_daemons(filled: Store, tmp_path: Path) -> None:
    learning = Learning(filled, tmp_path, curriculum=True)
    update = learning.train()
    job = read_job(learning.job())
    assert job.kind == "train"
    assert job.batch is None
    assert job.learners == {"curriculum": learning.task.hooks["curriculum"].model_dump()}
    assert len(update.report["batch"]) == update.batch_size


def test_what_the_curriculum_left_out_comes_back_at_half_weight(filled: Store, tmp_path: Path) -> None:
    learning = Learning(filled, tmp_path, curriculum=True, updates={"curriculum": {"noise": 0.25, "probe_steps": 1}})
    update = learning.train()
    out = update.report["left_out"]
    assert len(out) == 3
    assert not [entry for entry in update.report["batch"] if entry in out]
    origins = [Origin(*one) for one in out]
    assert filled.read(lambda tx: reservations.half_weighted(tx, "erd", origins)) == set(origins)


def test_what_no_step_saw_goes_back_as_it_was_and_what_does_not_fit_is_set_aside(store: Store, tmp_path: Path) -> None:
    examples = corrections()[:12]
    long = replace(examples[0], correction=Target("x" * 400, 0.2, NOW, "secret user 0"))
    store.write(lambda tx: keep(tx, long, *examples[1:]))
    learning = Learning(store, tmp_path, updates={"sft": {"learning_rate": 0.02, "steps": 2, "batch_size": 4}})
    update = learning.train()
    batch = [Origin(*entry) for entry in update.report["batch"]]
    assert (len(batch), update.report["unseen"]) == (update.batch_size, 3) == (8, 3)
    store.write(lambda tx: reservations.release(tx, update.update_id, batch, "promoted"))
    counts = store.read(lambda tx: buffer.buffer_counts(tx, "erd"))
    assert (counts.learned, counts.open, counts.set_aside) == (8, 3, 1)
    assert not store.read(
        lambda tx: reservations.half_weighted(tx, "erd", [Origin(one.interaction_id, 1) for one in examples])
    )
    said = [one.reason for _, one in store.read(lambda tx: decisions.list_decisions(tx, "erd"))]
    assert "1 examples set aside: longer than 256 tokens" in said
    shown = list(lines_of(show_update(learning.context, update.update_id).model_dump(mode="json")))
    assert "  go back unlearned, since no step saw them: 3 examples" in shown


def test_a_batch_of_which_nothing_fits_does_not_come_again(store: Store, tmp_path: Path) -> None:
    long = [replace(one, correction=Target("x" * 400, 0.2, NOW, one.user_id)) for one in corrections()[:12]]
    store.write(lambda tx: keep(tx, *long))
    learning = Learning(store, tmp_path, active=True)
    with pytest.raises(AssertionError, match="12 longer than 256 tokens"):
        learning.train()
    counts = store.read(lambda tx: buffer.buffer_counts(tx, "erd"))
    assert (counts.open, counts.set_aside) == (0, 12)


def test_failures_get_their_quota_and_rows_that_were_made_are_no_examples(store: Store, tmp_path: Path) -> None:
    asked = [
        (Message("user", f"Show Name{at}"),) for at in range(0, USERS * PER_USER, 2)
    ]  # a renaming would find these
    store.write(lambda tx: keep(tx, *(named(one, at) for at, one in enumerate(corrections()))))
    store.write(lambda tx: keep(tx, *(example(f"g{at}", messages=one) for at, one in enumerate(asked)), fold="gate"))
    enough = {"sft": {"learning_rate": 0.02, "steps": 12, "batch_size": 4}}  # made rows are seen beside the batch
    learning = Learning(store, tmp_path, hard_negatives=True, augmentation=True, updates=enough)
    update = learning.train()
    failing = {one.origin for one in read_pool(learning.job()) if one.failures}
    kinds = {kind for one in read_pool(learning.job()) for kind in one.failures}
    assert kinds == {"feedback:correction", "prompts:1", "prompts:2"}
    batch, learners = update.report["batch"], update.report["training"]["learners"]
    assert learners["hard_negatives"]["numbers"]["brought"] == round(0.35 * len(batch))
    assert len(failing) == USERS * PER_USER
    made = read_made(learning.job())
    assert made is not None
    assert learners["augmentation"]["numbers"]["kept"] == len(made.rows) > 0
    assert {row.origin.interaction_id for row in made.rows} <= {name for name, _ in batch}
    assert update.batch_size == len(batch) == update.report["limits"]["size"]
    assert not [row for row in made.rows if row.messages in asked]
    assert "known to the gate" in learners["augmentation"]["did"][-1]
    said = list(lines_of(show_update(learning.context, update.update_id).model_dump(mode="json")))
    assert f"  augmentation: {learners['augmentation']['did'][-1]}" in said


def named(one: Example, number: int) -> Example:
    assert one.correction is not None
    target = replace(one.correction, text=f"{one.correction.text} for Name{number}")
    asked = f"{'Show' if number % 2 else 'Draw'} Name{number}"
    return replace(one, messages=(Message("user", asked),), correction=target)
