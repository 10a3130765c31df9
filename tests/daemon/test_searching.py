"""A search gives way to an update at once, goes on where it was, and what wins is in force until somebody says no."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from consumers.cleaning import prompt_key
from daemon.actions.context import Context
from daemon.actions.tuning import ask_to_tune, end_search, reset_tuning, show_tuning
from daemon.config import Config, TaskConfig
from daemon.errors import Denied, NotFound
from daemon.executors import Handle, JobStatus
from daemon.executors.local import LocalExecutor
from daemon.search_material import SearchMaterial, gather_to_search
from daemon.searching import Searching
from daemon.tuned import told, with_tuning
from learners.base import base_hash
from learners.job import Base, BestTrial, Progress, SearchJob, SearchResult, SeedPair
from learners.job_files import append_progress, read_job, write_result
from learners.plan import steps_for
from storage import decisions, registry, tables, tunings
from storage.artifacts import Artifacts
from storage.records import Adapter, Message, Target
from storage.store import Store
from tests.daemon.test_jobs import FakeExecutor
from tests.learners.training.tiny import make_base
from tests.storage.makers import NOW, example, keep

BUSY = "update 7 of erd is queued"


def config(base: Path | str = "base", **own: Any) -> Config:
    sections = {"learners": {"hyperparameters": True}, "hyperparameters": {"idle": "0s", "trials": 16}}
    return Config.model_validate(
        {
            "model": {"base": str(base), "max_context": 256, "lora": {"rank": 4, "alpha": 8}},
            "rewards": {"settle": "0s"},
            "batching": {"min": 10, "max": 40, "max_share_per_user": 1, "min_users": 1},
            "updates": {"threads": 1, "sft": {"learning_rate": 0.02, "steps": 6, "batch_size": 4}},
            "tasks": {"erd": {**sections, **own}},
        }
    )


def task_of(whole: Config) -> TaskConfig:
    task = whole.task("erd")
    assert task is not None
    return task


def fill(store: Store, base: str = "hash", train: int = 12, dev: int = 8) -> None:
    """Corrections, each of a prompt of its own."""
    for fold, count in (("train", train), ("dev", dev)):
        found = [
            replace(
                example(f"{fold}{i}", correction=Target(f"answer {i}", 0.2, NOW, "u1"), scalar=None),
                messages=(Message("user", f"question {fold} {i}"),),
            )
            for i in range(count)
        ]
        store.write(lambda tx, found=found, fold=fold: keep(tx, *found, fold=fold))  # type: ignore[misc]
    store.write(lambda tx: registry.ensure_line(tx, "erd", base, NOW))


class Desk:
    """Searching with a clock of its own, and an executor that does as it is told."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.config, self.now_s = store, config(), 0.0
        self.executor = FakeExecutor()
        self.folder: Path | None = None
        self.executor.submit = self._submit  # type: ignore[method-assign]
        base = Base(path="base", hash="hash")
        self.searching = Searching(
            store, folder, self.executor, base, lambda: self.config, lambda: NOW, lambda: self.now_s
        )
        live = type("Live", (), {"roles": ("learn",), "search_of": lambda _, task: self.searching.words(task)})()
        self.context = Context(store, Artifacts(folder), lambda: self.config, lambda: NOW, live=live)

    def _submit(self, directory: Path) -> Handle:
        self.folder, self.executor.says = directory, JobStatus("running")
        return Handle(directory, 1)

    def tick(self, busy: str = "", after_s: float = 1.0) -> None:
        self.now_s += after_s
        self.searching.tick([task_of(self.config)], busy)

    def job(self) -> SearchJob | None:
        """The job that was submitted since the last call."""
        folder, self.folder = self.folder, None
        found = read_job(folder) if folder else None
        assert found is None or isinstance(found, SearchJob)
        return found

    def ends(self, result: SearchResult) -> None:
        assert self.searching._search is not None
        write_result(self.searching._search.handle.directory, result)
        self.executor.says = JobStatus("done")
        self.tick()

    def tries(self, finished: int, **best: float) -> SearchResult:
        settings = {"learning_rate": 0.02, "passes": 2.0, **best}
        return SearchResult(
            outcome="searched", reason="", finished=finished, best=BestTrial(number=3, value=0.5, settings=settings)
        )

    def study(self) -> Any:
        return self.store.read(lambda tx: tunings.list_studies(tx, "erd"))[0]


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    fill(store)
    return Desk(store, tmp_path / "artifacts")


def adopted(desk: Desk, gain: float = 0.2) -> None:
    """Sixteen trials over two idle periods, then a comparison."""
    desk.tick()
    desk.ends(desk.tries(12, learning_rate=0.05))
    desk.tick(busy=BUSY)
    desk.tick()
    desk.ends(desk.tries(16, learning_rate=0.05))
    desk.job()
    desk.tick()
    seeds = (1, 2, 3)
    pairs = tuple(SeedPair(seed=seed, against=1.0, settings=1.0 - gain) for seed in seeds)
    desk.ends(SearchResult(outcome="searched", reason="", objective="dev loss", pairs=pairs))


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


@pytest.fixture
def tiny_base(tmp_path: Path) -> Path:
    return make_base(tmp_path / "tiny-base")


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor()
    yield executor
    executor.close()


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_search_gives_way_in_seconds_and_a_kill_loses_one_trial(
    store: Store, tmp_path: Path, tiny_base: Path, executor: LocalExecutor
) -> None:
    digest = base_hash(tiny_base)
    fill(store, digest)
    whole = config(tiny_base, hyperparameters={"idle": "0s", "trials": 50})
    base = Base(path=str(tiny_base), hash=digest)
    searching = Searching(store, tmp_path / "artifacts", executor, base, lambda: whole, lambda: NOW)

    def until(trials: int) -> None:
        deadline = time.monotonic() + 300
        while _study(store).done < trials:
            searching.tick([task_of(whole)], "")
            assert time.monotonic() < deadline, searching.words("erd")
            time.sleep(0.05)

    searching.tick([task_of(whole)], "")
    until(2)
    asked = time.monotonic()
    searching.tick([task_of(whole)], BUSY)  # the batch was ripe
    assert time.monotonic() - asked < 10
    assert searching._search is None
    kept = _trials(tmp_path)
    assert sum(one.state.name != "RUNNING" for one in kept) >= 2

    searching.tick([task_of(whole)], "")
    until(_study(store).done + 1)
    assert searching._search is not None
    os.kill(searching._search.handle.pid, signal.SIGKILL)
    before = [one for one in _trials(tmp_path) if one.state.is_finished()]
    until(_study(store).done + 1)
    searching.stop()
    after = _trials(tmp_path)
    assert [one.value for one in after[: len(kept)] if one.state.name == "COMPLETE"][:2] == [
        one.value for one in kept if one.state.name == "COMPLETE"
    ][:2]
    lost = [one for one in after if one.state.name == "FAIL"]
    assert len(lost) <= 2, "one by giving way, one by the kill"
    assert len([one for one in after if one.state.is_finished()]) > len(before)
    assert _study(store).crashes <= 1


def _study(store: Store) -> Any:
    studies = store.read(lambda tx: tunings.list_studies(tx, "erd"))
    return studies[0] if studies else type("None yet", (), {"done": 0})


def _trials(folder: Path) -> list[Any]:
    """As anybody reads them who has Optuna, while a worker may be writing."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "artifacts" / "studies" / "erd.journal")))
    return optuna.load_study(study_name="sft-1", storage=storage).trials
