"""Attempts that ended and adapters that began to serve are each counted once, from what the store says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from learners.job import TrainResult
from learners.job_files import write_result
from storage import decisions, registry, reservations, updates
from storage.records import Adapter, Decision, Origin, Update
from tests.daemon.desk import NOW, wire
from tests.daemon.metrics.pages import Page


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def attempt(tx: Connection, update: Update, number: int, state: Any, began_s: float, ended_s: float) -> None:
    name = f"u{update.update_id}-train-{number}"
    job = updates.create_job(tx, update.update_id, "train", number, update.lease_epoch, name, at(began_s))
    running = updates.change_job(tx, job, "running", at(began_s))
    updates.change_job(tx, running, state, at(ended_s))


def begun(tx: Connection) -> Update:
    registry.ensure_line(tx, "erd", "base", NOW)
    update = updates.create_update(tx, "erd", "erd@v0", "ripe", at(10))
    return updates.change_update(tx, update, "running", at(10), candidate="erd@v1", batch_size=24)


def served(tx: Connection, seconds: float) -> None:
    detail = {"target": "engine", "state": "serving"}
    decisions.record(tx, Decision(at(seconds), "release", "engine: serving", "erd", "erd@v1", detail=detail))


def test_an_attempt_is_counted_once_with_its_phases_and_its_batch(page: Page) -> None:
    update = page.desk.store.write(begun)
    page.desk.store.write(lambda tx: attempt(tx, update, 1, "failed", 10, 12))
    page.desk.store.write(lambda tx: attempt(tx, update, 2, "done", 20, 30))
    folder = page.artifacts / "jobs" / f"u{update.update_id}-train-2"
    folder.mkdir(parents=True)
    seconds = {"load": 2.0, "train": 5.0, "total": 8.0}
    result = TrainResult(outcome="trained", reason="fine", candidate="erd@v1", seconds=seconds)
    write_result(folder, result)
    for _ in range(2):  # a second look sees nothing new
        assert page.value("job_seconds_sum", kind="train", outcome="done") == 10
        assert page.value("job_seconds_count", kind="train", outcome="failed") == 1
    assert {
        phase: page.value("job_phase_seconds_sum", kind="train", phase=phase)
        for phase in ("start", "load", "train", "other")
    } == {"start": 2, "load": 2, "train": 5, "other": 1}
    assert page.value("batch_size_sum", task="erd") == 24
    assert page.value("worker_restarts_total", worker="executor") == 1


def test_what_ended_before_this_daemon_started_is_not_counted_again(page: Page) -> None:
    update = page.desk.store.write(begun)
    page.desk.store.write(lambda tx: attempt(tx, update, 1, "done", -20, -10))
    assert page.value("job_seconds_count", kind="train", outcome="done") == 0


def promoted(tx: Connection) -> None:
    """One example was learned: its feedback came at NOW, the update began 10 s later and was promoted at 40 s."""
    update = begun(tx)
    reservations.reserve(tx, update.update_id, [Origin("i1", 2)], at(10))
    changed = updates.change_update(tx, update, "trained", at(30))
    registry.add_candidate(tx, Adapter("erd@v1", "erd", 1, "base", "erd@v0", update.update_id, at(30), "candidate"))
    registry.promote(tx, "erd", "erd@v1", "erd@v0", at(40))
    reservations.release(tx, update.update_id, [Origin("i1", 2)], "promoted")
    updates.change_update(tx, changed, "promoted", at(40))


def test_time_to_service_is_from_the_batchs_feedback_to_the_first_time_that_its_adapter_serves(page: Page) -> None:
    page.send(wire("e1", "correction", prompt="draw", response="erDiagram"))
    page.desk.store.write(lambda tx: tx.exec_driver_sql("update example set fold = 'train'"))
    page.desk.store.write(promoted)
    assert page.value("feedback_to_service_seconds_count", task="erd", target="engine", since="last") == 0
    page.desk.store.write(lambda tx: served(tx, 50))
    page.desk.store.write(lambda tx: served(tx, 500))  # the engine was restarted
    for since in ("first", "last"):
        assert page.value("feedback_to_service_seconds_sum", task="erd", target="engine", since=since) == 50
        assert page.value("feedback_to_service_seconds_count", task="erd", target="engine", since=since) == 1
