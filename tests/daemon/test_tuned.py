"""Settings that won are in force until somebody says no, or the file says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.actions.tuning import reset_tuning, show_tuning
from daemon.errors import NotFound
from daemon.tuned import told, with_tuning
from learners.plan import steps_for
from storage import decisions, tunings
from storage.store import Store
from tests.daemon.search_desk import Desk, adopted, config, fill, task_of
from tests.storage.makers import NOW


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    fill(store)
    return Desk(store, tmp_path / "artifacts")


def test_settings_that_win_are_in_force_for_the_next_update_and_say_where_they_come_from(desk: Desk) -> None:
    adopted(desk)
    assert desk.study().state == "adopted"
    shown = show_tuning(desk.context, "erd")
    assert shown.settings == {"learning_rate": 0.05, "steps": "2 passes", "replay_share": 1.0}
    assert shown.origin.startswith("tuning 1 of study 1, in force since 2026-11-01")
    tuned = with_tuning(task_of(desk.config), desk.store.read(lambda tx: tunings.newest_tuning(tx, "erd")), "hash")
    assert tuned.task.sft.learning_rate == 0.05
    assert tuned.task.sft.steps == "2 passes"
    assert told(tuned)["settings"]["origin"] == shown.origin
    kinds = [one.reason for _, one in desk.store.read(lambda tx: decisions.list_decisions(tx, "erd", "tuning"))]
    assert kinds[0].startswith("opened: 16 trials of sft")
    assert "learning_rate 0.05, 2 passes over the rows against learning_rate 0.02, 6 steps: dev 1 -> 0.8" in kinds[1]


@pytest.mark.parametrize(
    ("own", "base", "why"),
    [
        ({"learners": {"hyperparameters": False}}, "hash", "off"),
        ({"sft": {"learning_rate": 0.01}}, "hash", "adaptd.yaml says otherwise of learning_rate"),
        ({}, "another", "another base"),
    ],
)
def test_a_tuning_holds_only_while_the_file_agrees(desk: Desk, own: dict[str, Any], base: str, why: str) -> None:
    adopted(desk)
    task, tuning = task_of(config(**own)), desk.store.read(lambda tx: tunings.newest_tuning(tx, "erd"))
    tuned = with_tuning(task, tuning, base)
    assert (tuned.origin, tuned.task) == ("adaptd.yaml", task)
    if base == "hash":
        desk.config = config(**own)
        assert why in show_tuning(desk.context, "erd").tunings[0].not_in_force


def test_a_tuning_can_be_turned_down_by_hand_and_stays_on_record(desk: Desk) -> None:
    with pytest.raises(NotFound, match="no tuned settings"):
        reset_tuning(desk.context, "erd")
    adopted(desk)
    shown = reset_tuning(desk.context, "erd")
    assert shown.origin == "adaptd.yaml"
    assert [(one.version, one.actor) for one in shown.tunings] == [(2, "operator"), (1, "adaptd")]
    assert shown.settings["learning_rate"] == 0.02


def test_passes_that_won_make_more_steps_in_an_update_of_more_rows(desk: Desk) -> None:
    """Twelve rows were searched; an update may replay two thousand, and each is to be seen as often."""
    adopted(desk)
    tuned = with_tuning(task_of(desk.config), desk.store.read(lambda tx: tunings.newest_tuning(tx, "erd")), "hash")
    own = tuned.task.sft
    assert [steps_for(rows, own.batch_size, own.steps) for rows in (12, 1200)] == [6, 600]


def test_a_tuning_of_so_many_steps_from_an_older_daemon_means_that_still(desk: Desk) -> None:
    settings, file = {"learning_rate": 0.05, "steps": 9.0}, {"learning_rate": 0.02, "steps": 6, "replay_share": 1.0}

    def adopt(tx: Any) -> None:
        tunings.adopt(tx, "erd", "sft", "hash", settings=settings, configured=file, reason="won", now=NOW)

    desk.store.write(adopt)
    shown = show_tuning(desk.context, "erd")
    assert shown.settings == {"learning_rate": 0.05, "steps": 9, "replay_share": 1.0}
    assert shown.tunings[0].not_in_force == ""
    desk.tick()
    job = desk.job()
    assert job is not None
    assert job.in_force == settings
    assert job.start_from == {"learning_rate": 0.05, "passes": 3.0}
