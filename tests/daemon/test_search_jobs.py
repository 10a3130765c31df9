"""Which search job comes next: trials, then a comparison, where there is something to compare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.config import Config
from daemon.evaluations import yardstick_of
from daemon.material import Material
from daemon.search_jobs import NoJob, in_force, next_job, numbers_of, outdated, search_job
from daemon.search_material import SearchMaterial
from daemon.train_jobs import Wanted, write_train_job
from learners.floor import Floor
from learners.job import Base, Knob, SearchJob, SeedPair, Start, StudyPlace, Terms, TrainJob
from learners.job_files import read_job
from learners.preference import PhaseRows, PreferenceChoice, Sorted
from learners.replay import StartChoice, StartEvidence
from storage.records import Adapter, Message, Origin, Row, Study, Tuning, Update
from tests.storage.makers import NOW

IN_FORCE: dict[str, Any] = {"learning_rate": 0.02}
KNOB = Knob(name="learning_rate", low=0.002, high=0.2, configured=0.02)
STUDY = Study(1, "erd", "sft", "hash", "open", 16, 0, 0, 12, [KNOB.model_dump()], {}, "", NOW, NOW)
JOB = SearchJob(
    task="erd",
    method="sft",
    study=StudyPlace(path="x", name="sft-1"),
    knobs=(KNOB,),
    start_from=IN_FORCE,
    in_force=IN_FORCE,
    trials=0,
    wanted=16,
    seed=1000,
    base=Base(path="base", hash="hash"),
    start=Start(mode="base"),
)


def after(**best: float) -> Study:
    return replace(STUDY, done=16, best={"settings": {**IN_FORCE, **best}})


def test_trials_come_first_as_many_as_are_allowed_and_wanted() -> None:
    first, last = next_job(JOB, STUDY, 12), next_job(JOB, replace(STUDY, done=13), 12)
    assert isinstance(first, SearchJob)
    assert isinstance(last, SearchJob)
    assert (first.trials, last.trials) == (12, 3)


def test_what_did_best_is_compared_under_seeds_that_no_trial_had() -> None:
    found = next_job(JOB, after(learning_rate=0.01), 12)
    assert isinstance(found, SearchJob)
    assert found.comparison is not None
    assert (found.trials, found.comparison.seeds) == (0, (1001, 1002, 1003))
    assert (found.comparison.settings, found.comparison.against) == ({"learning_rate": 0.01}, IN_FORCE)


def test_a_study_is_over_where_what_is_in_force_did_best() -> None:
    found = next_job(JOB, after(), 12)
    assert isinstance(found, NoJob)
    assert found.over


def test_a_study_without_one_number_has_failed_and_did_not_lose() -> None:
    found = next_job(JOB, replace(STUDY, done=16), 12)
    assert isinstance(found, NoJob)
    assert (found.over, found.failed) == (True, True)
    assert found.reason == "none of 16 trials came to a number"


def test_a_comparison_waits_for_an_idle_period_that_it_fits_in() -> None:
    found = next_job(JOB, after(learning_rate=0.01), 5)
    assert isinstance(found, NoJob)
    assert not found.over


def test_a_seed_that_gave_no_number_for_one_of_both_does_not_count() -> None:
    pairs = [SeedPair(seed=1, against=0.5, settings=0.4), SeedPair(seed=2, against=None, settings=0.4)]
    assert numbers_of(pairs) == [(0.5, 0.4)]


def whole() -> Config:
    """A configuration in which hardly anything that a job may say is as it is by default."""
    lora = {"rank": 4, "alpha": 8, "dropout": 0.0, "rslora": True, "dora": True}
    return Config.model_validate(
        {
            "model": {"base": "b", "max_context": 128, "quantization": "4bit", "embeddings": "ngrams", "lora": lora},
            "updates": {
                "threads": 3,
                "time_limit": "7m",
                "max_retention_kl": 0.5,
                "checkpoint_every": "45s",
                "start": "champion",
                "off_policy": {"superseded_after": 3},
                "sft": {"min_signal": "auto", "learning_rate": 0.02, "steps": "auto"},
            },
            "tasks": {
                "erd": {
                    "learners": {"curriculum": True, "augmentation": True, "hyperparameters": True},
                    "validator": {"name": "length", "settings": {"max": 9}},
                }
            },
        }
    )


ROW = Row((Message("user", "q"),), "a", "target", 1.0, 1.0, 1.0, Origin("i1", 1), None, NOW)
MATERIAL = SearchMaterial("sft", (ROW,) * 12, (ROW,) * 8, None, gate_keys=("k1",), floor=Floor(0.6, "measured"))


def made(config: Config, study: Study = STUDY, **own: Any) -> SearchJob:
    task = config.task("erd")
    assert task is not None
    given = {"journal": Path("x"), "champion": Path("champion"), "start": None, "in_force": IN_FORCE, **own}
    return search_job(config, task, study, Base(path="base", hash="hash"), MATERIAL, **given)


def test_a_search_goes_by_the_terms_of_an_update(tmp_path: Path) -> None:
    """All of them: what a job says of learners, gate, champion, base and bounds has one maker."""
    config = whole()
    task = config.task("erd")
    assert task is not None
    base, folder = Base(path="base", hash="hash"), Path("champion")
    adapter = Adapter("erd@v1", "erd", 1, "hash", None, None, NOW, "champion", "champion", {}, {})
    nothing = Sorted((), {}, {}, PreferenceChoice("off", "off"))
    material = Material(nothing, adapter, 2, 0, "off", Floor(0.6, "measured"), gate_keys=("k1",))
    update = Update(7, "erd", "running", 1, 0, 1, 1, "erd@v1", None, "", NOW, NOW)
    phases = (PhaseRows("sft", (ROW,), (), ()),)
    wanted = Wanted(update, task, material, phases, StartChoice("base", 0, ""), "erd@v2", base, folder)
    write_train_job(wanted, config, tmp_path, 1)
    trained = read_job(tmp_path)
    searched = made(config)
    unlike = {"kind", "contract", "seed", "update_id", "attempt"}
    for name in Terms.model_fields.keys() - unlike:
        assert getattr(searched, name) == getattr(trained, name), name
    assert isinstance(trained, TrainJob)
    assert (trained.max_retention_kl, trained.checkpoint_every_s) == (0.5, 45.0), "as configured, and not by default"
    assert searched.model.quantization == "4bit"
    assert (searched.gate_keys, searched.champion_path) == (("k1",), "champion")
    assert searched.settings["min_signal"] == 0.6, "as an update has it, not `auto`"


def test_a_search_starts_where_an_update_of_all_there_is_would() -> None:
    evidence = StartEvidence(False, 40, 3000, 3000.0, None, 12.0, 60.0)
    auto = whole().model_copy(update={"updates": whole().updates.model_copy(update={"start": "auto"})})
    assert made(auto, start=evidence).start == Start(mode="champion", adapter_path="champion")
    assert made(auto, start=replace(evidence, learned_rows=10, learned_effective=10.0)).start.mode == "base"
    assert made(auto, start=evidence, champion=None).start.mode == "base"


def tuning(**settings: float) -> Tuning:
    return Tuning("erd", 1, "sft", "hash", settings, {"learning_rate": 0.02, "steps": "auto"}, NOW, "")


@pytest.mark.parametrize(
    ("found", "told", "first"),
    [
        (None, {"learning_rate": 0.02, "steps": "auto"}, 25 * 8 / 12),
        (tuning(learning_rate=0.05, steps=30.0), {"learning_rate": 0.05, "steps": 30.0}, 20.0),
        (tuning(learning_rate=0.05, passes=7.5), {"learning_rate": 0.05, "passes": 7.5}, 7.5),
    ],
    ids=["as configured", "so many steps", "passes"],
)
def test_what_is_in_force_is_compared_as_updates_use_it(
    found: Tuning | None, told: dict[str, Any], first: float
) -> None:
    config = whole()
    task = config.task("erd")
    assert task is not None
    knobs = [KNOB.model_dump(), Knob(name="passes", low=1, high=99, configured=12).model_dump()]
    study = replace(STUDY, knobs=knobs)
    now = in_force(task, study, found, "hash")
    assert now == told
    assert made(config, study, in_force=now).start_from["passes"] == pytest.approx(first)


def test_a_study_of_so_many_steps_or_of_another_validator_is_not_gone_on_with() -> None:
    task = whole().task("erd")
    assert task is not None
    assert "passes are searched instead" in outdated(replace(STUDY, knobs=[{"name": "steps", "whole": True}]), task)
    for by in ("another", ""):  # empty: its trials were scored by the dev loss
        assert "the validator was changed" in outdated(replace(STUDY, yardstick=by), task)
    for known in (yardstick_of(task), None):  # None: from before it was kept
        assert outdated(replace(STUDY, yardstick=known), task) == ""
