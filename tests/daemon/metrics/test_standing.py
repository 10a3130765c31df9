"""How things stand shows on the page, and what is gone is gone from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from consumers.sources.protocol import SourceHealth
from daemon.reload import ConfigState
from storage import failures, registry, tunings, updates
from storage.errors import StoreUnavailable
from storage.records import Adapter, Failure, Look, Score
from storage.store import Store
from tests.daemon.desk import NOW, wire
from tests.daemon.metrics.pages import Page


def register(tx: Connection, *versions: int, task: str = "erd") -> None:
    registry.ensure_line(tx, task, "base", NOW)
    for version in versions:
        registry.add_candidate(tx, Adapter(f"{task}@v{version}", task, version, "base", None, None, NOW, "candidate"))
        updates.save_scores(tx, [Score(f"{task}@v{version}", "validator", version / 100, 9, NOW)])


def judged(tx: Connection, task: str, verdict: str) -> None:
    update = updates.create_update(tx, task, f"{task}@v0", "ripe", NOW)
    updates.save_look(tx, Look(update.update_id, 1, 20, verdict, "because", NOW))  # type: ignore[arg-type]
    changed = updates.change_update(tx, update, "running", NOW)
    phases = [{"method": "sft", "first_loss": 2.0, "last_loss": 0.5, "dev_loss": None}]
    phases.append({"method": "dpo", "first_loss": 9.0, "last_loss": 8.0, "dev_loss": 8.5})
    phases[0]["stages"] = [{"name": "hard", "steps": 5, "rows": 18}]
    learners = {"curriculum": {"did": ["left out: ..."], "numbers": {"left_out": 6.0}}}
    report = {"training": {"phases": phases, "learners": learners}}
    changed = updates.change_update(tx, changed, "trained", NOW, report=report)
    updates.change_update(tx, changed, "rejected", NOW)


def test_batches_sources_and_workers_stand_as_the_daemon_says(page: Page) -> None:
    page.parts.health = SourceHealth("degraded", "the broker is away", lost_records=7)
    page.parts.states, page.parts.restarted = {"engine": "waiting: killed"}, {"engine": 3}
    assert [page.value(f"batch_{name}", task="erd") for name in ("have", "need", "ripe")] == [12, 10, 1]
    assert page.value("source_up", source="kafka") == 0
    assert page.value("source_lag", source="kafka") == 5
    assert page.value("source_lost_records_total", source="kafka") == 7
    assert page.value("worker_up", worker="engine") == 0
    assert page.value("worker_restarts_total", worker="engine") == 3


def test_kinds_of_failure_are_counted_by_state_where_there_are_any(page: Page) -> None:
    page.desk.store.write(register)
    assert page.value("failure_kinds", task="erd", state="open") is None
    kinds = [Failure("erd", f"check:{name}", 3, NOW, NOW, "open", NOW) for name in ("keys", "parses")]
    page.desk.store.write(lambda tx: failures.save_failures(tx, kinds))
    assert page.value("failure_kinds", task="erd", state="open") == 2
    assert page.value("failure_kinds", task="erd", state="back again") == 0


def test_a_search_shows_how_far_it_is_and_how_often_it_had_its_way(page: Page) -> None:
    page.desk.store.write(register)
    assert page.value("study_trials", task="erd", state="wanted") == 0
    more: dict[str, Any] = {"rows": 40, "knobs": [], "reason": "enough rows", "now": NOW}
    study = page.desk.store.write(lambda tx: tunings.open_study(tx, "erd", "sft", "hash", wanted=24, **more))
    page.desk.store.write(lambda tx: tunings.change_study(tx, study, "open", NOW, done=7))
    found: dict[str, Any] = {"settings": {"learning_rate": 0.002}, "configured": {}, "reason": "won", "now": NOW}
    page.desk.store.write(lambda tx: tunings.adopt(tx, "erd", "sft", "hash", **found))
    assert [page.value("study_trials", task="erd", state=state) for state in ("wanted", "done")] == [24, 7]
    assert page.value("tunings_total", task="erd") == 1


def test_only_the_champion_and_the_newest_versions_have_a_score(page: Page) -> None:
    page.desk.store.write(lambda tx: register(tx, *range(1, 31)))
    page.desk.store.write(lambda tx: registry.promote(tx, "erd", "erd@v2", "erd@v0", NOW))
    shown = {labels["adapter"] for labels in (dict(key[1]) for key in page.read()) if "metric" in labels}
    assert shown == {"erd@v2", *(f"erd@v{version}" for version in range(21, 31))}
    assert page.value("champion_info", task="erd", adapter="erd@v2") == 1
    assert page.value("champion_info", task="erd", adapter="erd@v0") is None
    assert page.value("champion_serving", task="erd") == 0


def test_verdicts_and_endings_are_totals_of_the_store_and_others_are_added_up(page: Page) -> None:
    for task, verdict in (("erd", "promote"), ("erd", "reject"), ("secret-a", "reject"), ("secret-b", "reject")):
        page.desk.store.write(lambda tx, task=task: register(tx, task=task))  # type: ignore[misc]
        page.desk.store.write(lambda tx, task=task, verdict=verdict: judged(tx, task, verdict))  # type: ignore[misc]
    assert page.value("verdicts_total", task="erd", verdict="promote") == 1
    assert page.value("verdicts_total", task="other", verdict="reject") == 2
    assert page.value("updates_ended_total", task="other", outcome="rejected") == 2
    assert page.value("batch_have", task="other") is None
    assert "secret" not in page.text()


def test_loss_is_that_of_the_last_trained_update(page: Page) -> None:
    page.desk.store.write(lambda tx: register(tx))
    page.desk.store.write(lambda tx: judged(tx, "erd", "hold"))
    assert page.value("update_loss", task="erd", method="sft", point="first") == 2.0
    assert page.value("update_loss", task="erd", method="sft", point="last") == 0.5
    assert page.value("update_loss", task="erd", method="sft", point="dev") is None
    assert page.value("update_loss", task="erd", method="dpo", point="dev") == 8.5


def test_what_learners_did_is_that_of_the_last_trained_update(page: Page) -> None:
    page.desk.store.write(lambda tx: register(tx))
    page.desk.store.write(lambda tx: judged(tx, "erd", "hold"))
    assert page.value("update_stage_rows", task="erd", method="sft", stage="hard") == 18
    assert page.value("learner_figure", task="erd", learner="curriculum", figure="left_out") == 6


def test_examples_are_counted_where_they_stand(page: Page) -> None:
    page.send(wire("e1", interaction_id="alone"))
    assert page.value("examples", task="erd", state="unjoined") == 1


def test_disk_is_measured_by_kind(page: Page) -> None:
    (page.artifacts / "jobs" / "u1-train-1").mkdir(parents=True)
    (page.artifacts / "jobs" / "u1-train-1" / "rows.jsonl").write_bytes(b"x" * 1000)
    (page.artifacts / "erd").mkdir()
    (page.artifacts / "erd" / "adapter_model.safetensors").write_bytes(b"x" * 300)
    assert page.value("disk_used_bytes", kind="jobs") == 1000
    assert page.value("disk_used_bytes", kind="artifacts") == 300
    assert (page.value("disk_used_bytes", kind="events") or 0) > 10_000
    assert (page.value("disk_free_bytes", kind="events") or 0) > 0


def test_the_config_that_was_loaded_is_in_force(page: Page) -> None:
    assert page.value("config_last_reload_success") == 1
    assert page.value("config_loaded_timestamp_seconds") == NOW.timestamp()
    assert page.value("started_timestamp_seconds") == NOW.timestamp()


def test_a_broken_config_shows_and_so_does_what_waits_for_a_restart(page: Page) -> None:
    page.parts.config = ConfigState(
        NOW, "tasks: unknown key", reloads_ok=2, reloads_failed=1, needs_restart=("storage.url",)
    )
    assert page.value("config_last_reload_success") == 0
    assert page.value("config_reloads_total", outcome="ok") == 2
    assert page.value("config_reloads_total", outcome="refused") == 1
    assert page.value("config_needs_restart") == 1


def test_a_role_that_cannot_work_shows(page: Page) -> None:
    page.parts.missing = ["the scheduler has not ticked for a while"]
    assert page.value("ready") == 0


def test_a_store_that_cannot_be_read_leaves_a_page_that_says_so(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.send(wire("e1"))

    def fail(_self: Store, _step: object) -> None:
        raise StoreUnavailable("the store cannot be read: disk I/O error")

    monkeypatch.setattr(Store, "read", fail)
    assert page.value("ready") == 0
    assert page.value("events_total", source="http", kind="rating", outcome="stored") == 1
    assert page.value("batch_have", task="erd") is None


def test_a_champion_says_since_when(page: Page) -> None:
    page.desk.store.write(lambda tx: register(tx, 1))
    later = NOW + timedelta(hours=1)
    page.desk.store.write(lambda tx: registry.promote(tx, "erd", "erd@v1", "erd@v0", later))
    assert page.value("champion_since_timestamp_seconds", task="erd") == later.timestamp()


def test_scores_by_an_earlier_validator_are_not_on_the_page(page: Page) -> None:
    page.desk.store.write(lambda tx: register(tx, 1, 2))
    old, new = (Score(f"erd@v{at}", "validator", 0.5, 9, NOW + timedelta(hours=at), f"by {at}") for at in (1, 2))
    page.desk.store.write(lambda tx: updates.save_scores(tx, [old, new]))
    assert [dict(key[1])["adapter"] for key in page.read() if key[0].endswith("adapter_score")] == ["erd@v2"]
