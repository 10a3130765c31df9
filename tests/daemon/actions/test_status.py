"""What `adaptd status` says of an update at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.actions.status import status
from daemon.cli.status import print_status
from learners.job import PROGRESS, Progress
from learners.job_files import append_progress
from storage import failures, registry, updates
from storage.artifacts import Artifacts
from storage.records import Failure
from tests.daemon.desk import NOW, Desk


def training(tx: Connection) -> None:
    registry.ensure_line(tx, "erd", "base", NOW)
    update = updates.create_update(tx, "erd", "erd@v0", "ripe", NOW)
    updates.change_update(tx, update, "running", NOW)
    job = updates.create_job(tx, update.update_id, "train", 1, update.lease_epoch, "u1-train-1", NOW)
    updates.change_job(tx, job, "running", NOW)


@pytest.fixture
def context(desk: Desk, tmp_path: Path) -> Context:
    storage = desk.config.storage.model_copy(update={"artifacts": str(tmp_path / "artifacts")})
    desk.config = desk.config.model_copy(update={"storage": storage})
    desk.store.write(training)
    return Context(desk.store, Artifacts(tmp_path / "artifacts"), lambda: desk.config)


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts" / "jobs" / "u1-train-1"
    folder.mkdir(parents=True)
    return folder


def test_an_update_at_work_shows_how_far_it_is_and_at_which_stage(
    context: Context, attempt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append_progress(attempt, Progress(at=NOW, done=40, total=75, phase="sft", stage="medium", loss=0.5))
    found = status(context)
    running = found.tasks["erd"].updates.running
    assert running is not None
    assert running.progress is not None
    assert (running.progress.done, running.progress.total, running.progress.stage) == (40, 75, "medium")
    print_status(found.model_dump(mode="json"))
    assert "sft, medium: 40 of 75, loss 0.5" in " ".join(capsys.readouterr().out.split())


def test_a_worker_that_has_said_nothing_yet_or_nonsense_shows_nothing(context: Context, attempt: Path) -> None:
    for said in (None, b"nonsense\n"):
        if said:
            (attempt / PROGRESS).write_bytes(said)
        running = status(context).tasks["erd"].updates.running
        assert running is not None
        assert running.progress is None


def test_kinds_of_failure_are_listed_with_what_needs_looking_at_first(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [
        Failure("erd", "check:keys", 9, NOW - timedelta(days=2), NOW, "fixed", NOW),
        Failure("erd", "feedback:correction", 4, NOW, NOW, "open", NOW),
        Failure("erd", "prompts:1", 40, NOW, NOW, "open", NOW, words=(7,)),
        Failure("erd", "check:parses", 1, NOW, NOW, "back again", NOW),
    ]
    context.store.write(lambda tx: failures.save_failures(tx, kinds))
    found = status(replace(context, clock=lambda: NOW))
    shown = found.tasks["erd"].failures
    assert [one.kind for one in shown] == ["check:parses", "prompts:1", "feedback:correction", "check:keys"]
    assert shown[-1].age_s == 2 * 86400
    assert "words" not in shown[1].model_dump()
    print_status(found.model_dump(mode="json"))
    said = " ".join(capsys.readouterr().out.split())
    assert "1 check:parses (back again), 40 prompts:1, 4 feedback:correction, 9 check:keys (fixed)" in said
