"""A search gives way to an update at once and goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from consumers.cleaning import prompt_key
from daemon.actions.tuning import ask_to_tune, end_search, show_tuning
from daemon.errors import Denied, NotFound
from daemon.executors import JobStatus
from daemon.search_material import SearchMaterial, gather_to_search, material_of
from learners.job import Progress, SearchResult, SeedPair
from learners.job_files import append_progress
from learners.preference import PhaseRows
from storage import registry, tables, tunings
from storage.records import Adapter, Message
from storage.store import Store
from tests.daemon.search_desk import BUSY, Desk, adopted, config, fill, task_of
from tests.learners.training.tiny import row
from tests.storage.makers import NOW, example, keep


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    fill(store)
    return Desk(store, tmp_path / "artifacts")


def test_a_study_spans_idle_periods_of_twelve_trials_and_ends_in_a_comparison(desk: Desk) -> None:
    desk.tick()
    job = desk.job()
    assert job is not None
    assert (job.trials, job.wanted, job.method) == (12, 16, "sft")
    assert {knob.name: knob.configured for knob in job.knobs} == {"learning_rate": 0.02, "passes": 2}
    assert job.start_from == {"learning_rate": 0.02, "passes": 2}, "six steps of four, over twelve rows"
    desk.ends(desk.tries(12, learning_rate=0.05))
    desk.tick()
    assert desk.job() is None, "twelve in one idle period"
    assert "the next begins in" in desk.searching.words("erd")
    desk.tick(busy=BUSY)
    desk.tick()
    job = desk.job()
    assert job is not None
    assert job.trials == 4
    desk.ends(desk.tries(16, learning_rate=0.05))
    job = desk.job()
    assert job is not None
    assert job.comparison is not None
    assert job.comparison.settings["learning_rate"] == 0.05
    assert job.comparison.against == {"learning_rate": 0.02, "steps": 6}
    assert len(job.comparison.seeds) == 3
    assert job.seed not in job.comparison.seeds


def compared(gain: float) -> SearchResult:
    pairs = tuple(SeedPair(seed=seed, against=1.0, settings=1.0 - gain) for seed in (1, 2, 3))
    return SearchResult(outcome="searched", reason="", objective="dev loss", pairs=pairs)


def test_what_was_edited_while_it_was_compared_is_not_overruled_but_compared_again(desk: Desk) -> None:
    desk.config = config(hyperparameters={"idle": "0s", "trials": 6})
    desk.tick()
    desk.ends(desk.tries(6, learning_rate=0.05))
    desk.tick(busy=BUSY)
    desk.tick()
    assert (job := desk.job()) is not None
    assert job.comparison is not None
    desk.config = config(hyperparameters={"idle": "0s", "trials": 6}, sft={"learning_rate": 0.04})
    desk.ends(compared(0.2))
    assert show_tuning(desk.context, "erd").tunings == []
    assert desk.study().state == "open"
    desk.tick(busy=BUSY)
    desk.tick()
    assert (job := desk.job()) is not None
    assert job.comparison is not None
    assert job.comparison.against == {"learning_rate": 0.04, "steps": 6}
    desk.ends(compared(0.2))
    assert desk.study().state == "adopted"


def test_on_a_new_base_an_open_study_begins_anew_and_one_that_ended_says_nothing(store: Store, tmp_path: Path) -> None:
    fill(store)
    earlier = Desk(store, tmp_path / "earlier")
    ask_to_tune(earlier.context, "erd", 50)
    desk = Desk(store, tmp_path / "artifacts", base="another")
    desk.tick()
    assert desk.job() is not None
    new, old = store.read(lambda tx: tunings.list_studies(tx, "erd"))
    assert (new.wanted, new.base_hash, old.state) == (50, "another", "cancelled")
    third = Desk(store, tmp_path / "third", base="third")
    end_search(third.context, "erd")
    third.tick()
    assert third.job() is not None, "what was found on another base is nothing here"


def test_a_task_whose_golden_file_is_gone_holds_up_no_other(store: Store, tmp_path: Path) -> None:
    fill(store)
    desk = Desk(store, tmp_path / "artifacts")
    broken = task_of(config(gate={"golden": str(tmp_path / "gone.jsonl")})).model_copy(update={"name": "broken"})
    desk.searching.tick([broken, task_of(desk.config)], "")
    assert desk.job() is not None
    assert "gone.jsonl cannot be read" in desk.searching.words("broken")


def test_an_open_study_keeps_its_method_while_there_is_enough_for_it(desk: Desk) -> None:
    rows = tuple(row(at) for at in range(30))
    phases = [PhaseRows(name, rows[:count], (), rows[:8]) for name, count in (("sft", 12), ("dpo", 30), ("kto", 9))]
    task = task_of(desk.config)
    for method, found in ((None, "dpo"), ("sft", "sft"), ("kto", "dpo")):
        material = material_of(task, phases, None, method)
        assert isinstance(material, SearchMaterial)
        assert material.method == found


def test_a_quiet_daemon_goes_on_after_a_pause(desk: Desk) -> None:
    desk.tick()
    desk.ends(desk.tries(12))
    desk.job()
    desk.tick(after_s=590)
    assert desk.job() is None
    desk.tick(after_s=20)
    assert desk.job() is not None


def test_it_gives_way_as_soon_as_something_else_is_at_work_and_keeps_what_is_finished(desk: Desk) -> None:
    desk.tick()
    folder = desk.folder
    assert folder is not None
    append_progress(folder, Progress(at=NOW, done=5, total=16))
    desk.tick(busy=BUSY)
    assert desk.executor.cancelled == [folder]
    assert desk.study().done == 5
    assert BUSY in desk.searching.words("erd")
    assert {path.name for path in folder.iterdir()} == {"job.json", "progress.jsonl"}, "no text of a user is left"
    desk.tick(busy=BUSY)
    desk.job()
    desk.tick(after_s=100)
    job = desk.job()
    assert job is not None
    assert job.trials == 11, "a search goes on where it was, in a new idle period"


def test_a_worker_that_ends_after_the_last_trial_is_asked_again_which_did_best(desk: Desk) -> None:
    desk.config = config(hyperparameters={"idle": "0s", "trials": 12})
    desk.tick()
    assert desk.folder is not None
    append_progress(desk.folder, Progress(at=NOW, done=12, total=12))
    desk.tick(busy=BUSY)
    assert desk.study().done == 11
    desk.job()
    desk.tick()
    job = desk.job()
    assert job is not None
    assert (job.trials, job.comparison) == (1, None)


def test_settings_that_do_not_win_change_nothing(desk: Desk) -> None:
    adopted(desk, gain=0.001)
    assert desk.study().state == "kept"
    assert "less than 1 %" in desk.study().reason
    assert show_tuning(desk.context, "erd").origin == "adaptd.yaml"
    desk.tick(after_s=10_000)
    assert desk.job() is None, "not again before there is more to search on"


def test_a_study_whose_best_is_what_is_in_force_ends_without_a_comparison(desk: Desk) -> None:
    desk.config = config(hyperparameters={"idle": "0s", "trials": 12})
    desk.tick()
    desk.job()
    desk.ends(desk.tries(12))
    desk.tick(after_s=10_000)
    assert desk.job() is None
    assert desk.study().state == "kept"
    assert desk.study().reason == "nothing did better than learning_rate 0.02, 6 steps in 12 trials"


def test_a_study_asked_for_by_hand_is_opened_lengthened_and_ended(desk: Desk) -> None:
    assert ask_to_tune(desk.context, "erd", 50).study.wanted == 50  # type: ignore[union-attr]
    desk.tick()
    assert desk.job() is not None
    assert ask_to_tune(desk.context, "erd", 60).study.wanted == 60  # type: ignore[union-attr]
    desk.tick()
    assert not desk.executor.cancelled
    end_search(desk.context, "erd")
    desk.tick()
    assert len(desk.executor.cancelled) == 1
    assert desk.study().state == "cancelled"
    with pytest.raises(NotFound, match="no open study"):
        end_search(desk.context, "erd")


def test_asking_says_what_is_in_the_way(desk: Desk) -> None:
    with pytest.raises(NotFound, match="nothing is not learned"):
        ask_to_tune(desk.context, "nothing", 10)
    with pytest.raises(Denied, match="needs a daemon"):
        ask_to_tune(replace(desk.context, live=None), "erd", 10)
    desk.config = config(learners={"hyperparameters": False})
    with pytest.raises(Denied, match="adaptd learners enable hyperparameters --task erd"):
        ask_to_tune(desk.context, "erd", 10)


def test_too_little_to_search_on_is_said(store: Store, tmp_path: Path) -> None:
    fill(store, dev=5)
    desk = Desk(store, tmp_path / "artifacts")
    desk.tick()
    assert desk.searching.words("erd") == "waits: 5 of 8 rows in the dev fold"
    with pytest.raises(Denied, match="5 of 8 rows in the dev fold"):
        ask_to_tune(desk.context, "erd", 10)


def test_switching_it_off_ends_the_search_and_on_again_goes_on(desk: Desk) -> None:
    desk.tick()
    desk.config = config(learners={"hyperparameters": False})
    desk.tick()
    assert len(desk.executor.cancelled) == 1
    assert desk.study().state == "open"
    desk.config = config()
    desk.job()
    desk.tick()
    assert desk.job() is not None


def test_a_search_that_keeps_breaking_is_given_up(desk: Desk) -> None:
    desk.tick()
    for _ in range(3):
        desk.executor.says = JobStatus("crashed", reason="killed by SIGSEGV")
        desk.tick()
    assert desk.study().state == "failed"
    assert "3 search jobs failed: killed by SIGSEGV" in desk.study().reason


def test_a_study_of_which_no_trial_comes_to_a_number_is_given_up_and_says_so(desk: Desk) -> None:
    desk.config = config(hyperparameters={"idle": "0s", "trials": 50, "at_once": 6})
    for job in (1, 2, 3):
        desk.tick(after_s=1000)
        assert desk.job() is not None
        assert desk.study().crashes == job - 1
        words = "6 trials, 18 of 50 finished in all; 6 came to no number: the loss was not finite"
        desk.ends(SearchResult(outcome="searched", reason=words, finished=6 * job, run=6, failed=6))
    assert desk.study().state == "failed"
    assert desk.study().reason.endswith("6 came to no number: the loss was not finite")


def test_a_study_that_ends_before_that_has_failed_as_well(desk: Desk) -> None:
    desk.config = config(hyperparameters={"idle": "0s", "trials": 12})
    desk.tick()
    desk.ends(SearchResult(outcome="searched", reason="", finished=12, run=12, failed=12))
    desk.store.write(lambda tx: tunings.change_study(tx, desk.study(), "open", NOW, done=12))
    desk.tick(after_s=1000)
    assert desk.study().state == "failed"
    assert desk.study().reason == "none of 12 trials came to a number"


def test_trials_that_came_to_no_number_among_others_are_no_crash(desk: Desk) -> None:
    desk.tick()
    desk.ends(desk.tries(12).model_copy(update={"run": 12, "failed": 11}))
    assert (desk.study().crashes, desk.study().done) == (0, 12)


def test_an_open_study_of_so_many_steps_is_ended_and_one_of_passes_begun(desk: Desk) -> None:
    knobs = [{"name": "steps", "low": 2, "high": 18, "log": True, "whole": True, "configured": 6}]

    def open_it(tx: Any) -> None:
        tunings.open_study(tx, "erd", "sft", "hash", wanted=50, rows=12, knobs=knobs, reason="", now=NOW)

    desk.store.write(open_it)
    desk.tick()
    job = desk.job()
    assert job is not None
    assert [knob.name for knob in job.knobs] == ["learning_rate", "passes"]
    new, old = desk.store.read(lambda tx: tunings.list_studies(tx, "erd"))
    assert (new.state, new.wanted, old.state) == ("open", 50, "cancelled")
    assert "passes are searched instead" in old.reason


@pytest.mark.parametrize("at_work", [True, False])
def test_when_the_validator_changes_the_trials_so_far_are_ended_and_as_many_begun_anew(
    desk: Desk, at_work: bool
) -> None:
    desk.tick()
    if not at_work:
        desk.ends(desk.tries(12))
    desk.job()
    desk.config = config(validator={"name": "length", "settings": {"max": 9}})
    if not at_work:
        desk.tick(busy=BUSY)
    for _ in range(2):
        desk.tick(after_s=3600)
    job = desk.job()
    assert job is not None
    assert job.validator is not None
    new, old = desk.store.read(lambda tx: tunings.list_studies(tx, "erd"))
    assert (new.state, new.done, new.wanted, old.state) == ("open", 0, 16, "cancelled")
    assert old.reason == "its trials were scored otherwise: the validator was changed"
    assert job.study.name == f"sft-{new.study_id}"


def test_an_open_study_that_does_not_say_how_it_scores_goes_on(desk: Desk) -> None:
    desk.tick()
    desk.ends(desk.tries(12))
    desk.store.write(lambda tx: tx.execute(tables.study.update().values(yardstick=None)))
    desk.tick(busy=BUSY)
    desk.tick()
    assert desk.study().state == "open"
    assert (job := desk.job()) is not None
    assert job.trials == 4


def test_a_search_is_on_the_terms_of_an_update_also_where_they_are_read_from_the_store(desk: Desk) -> None:
    """The reigning adapter, and the gate's prompts for learners that make rows."""
    gate = replace(example("gate1"), messages=(Message("user", "of the gate"),))
    adapter = Adapter("erd@v1", "erd", 1, "hash", None, None, NOW, "candidate", "erd/v1")
    desk.store.write(lambda tx: keep(tx, gate, fold="gate"))
    desk.store.write(lambda tx: registry.add_candidate(tx, adapter))
    desk.store.write(lambda tx: registry.set_champion(tx, "erd", "erd@v1", NOW, "by hand"))
    desk.config = config(learners={"hyperparameters": True, "augmentation": True})
    desk.tick()
    job = desk.job()
    assert job is not None
    assert job.champion_path is not None
    assert job.champion_path.endswith("artifacts/erd/v1")
    assert prompt_key(gate.messages) in job.gate_keys
    assert job.off_policy is not None


def test_what_was_rejected_once_counts_half_in_a_trial_as_well(desk: Desk) -> None:
    halved = update(tables.example).where(tables.example.c.interaction_id == "train1")
    desk.store.write(lambda tx: tx.execute(halved.values(half_weight_revision=tables.example.c.revision)))
    found = desk.store.read(lambda tx: gather_to_search(tx, task_of(desk.config), NOW))
    assert isinstance(found, SearchMaterial)
    weights = {row.origin.interaction_id: row.weight for row in found.rows}
    assert weights["train1"] == pytest.approx(weights["train2"] / 2)
