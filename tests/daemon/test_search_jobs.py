"""Which search job comes next: trials, then a comparison, where there is something to compare."""

from __future__ import annotations

from dataclasses import replace

from daemon.search_jobs import NoJob, next_job, numbers_of
from learners.job import Base, Knob, SearchJob, SeedPair, Start, StudyPlace
from storage.records import Study
from tests.storage.makers import NOW

IN_FORCE = {"learning_rate": 0.02}
KNOB = Knob(name="learning_rate", low=0.002, high=0.2, configured=0.02)
STUDY = Study(1, "erd", "sft", "hash", "open", 16, 0, 0, 12, [KNOB.model_dump()], {}, "", NOW, NOW)
JOB = SearchJob(
    task="erd",
    method="sft",
    study=StudyPlace(path="x", name="sft-1"),
    knobs=(KNOB,),
    start_from=IN_FORCE,
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


def test_a_comparison_waits_for_an_idle_period_that_it_fits_in() -> None:
    found = next_job(JOB, after(learning_rate=0.01), 5)
    assert isinstance(found, NoJob)
    assert not found.over


def test_a_seed_that_gave_no_number_for_one_of_both_does_not_count() -> None:
    pairs = [SeedPair(seed=1, against=0.5, settings=0.4), SeedPair(seed=2, against=None, settings=0.4)]
    assert numbers_of(pairs) == [(0.5, 0.4)]
