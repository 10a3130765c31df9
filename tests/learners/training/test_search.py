"""A search over a tiny model: trials are updates in small, over a base that is loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from learners.base import base_hash
from learners.job import (
    DEV_ROWS,
    ROWS,
    Base,
    Comparison,
    Knob,
    Lora,
    Model,
    SearchJob,
    SearchResult,
    Start,
    StudyPlace,
    TrainResult,
    ValidatorChoice,
)
from learners.job_files import last_progress, read_result, write_job, write_rows
from learners.training.worker import perform
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    # transformers warns of its own renaming, whichever of the two names is used
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

SETTINGS = {"learning_rate": 0.02, "steps": 4, "batch_size": 4}
KNOBS = (
    Knob(name="learning_rate", low=0.002, high=0.2, log=True, configured=0.02),
    Knob(name="steps", low=2, high=6, log=True, whole=True, configured=4),
    Knob(name="replay_share", low=0.25, high=1, configured=1.0),
)
NEW = [row(i) for i in range(6)]
OLD = [row(i, replay=True) for i in range(6, 12)]
DEV = [row(i) for i in range(20, 28)]


def search(directory: Path, base: Path, **changes: Any) -> SearchJob:
    directory.mkdir(parents=True, exist_ok=True)
    job = SearchJob(
        task="tiny",
        method="sft",
        settings=SETTINGS,
        study=StudyPlace(path=str(directory.parent / "studies" / "tiny.journal"), name="sft-1"),
        knobs=KNOBS,
        start_from={knob.name: knob.configured for knob in KNOBS},
        trials=3,
        wanted=10,
        seed=7,
        base=Base(path=str(base), hash=base_hash(base)),
        start=Start(mode="base"),
        model=Model(max_context=256, lora=Lora(rank=4, alpha=8, dropout=0.05)),
    ).model_copy(update=changes)
    write_job(directory, job)
    write_rows(directory / ROWS, [*NEW, *OLD])
    write_rows(directory / DEV_ROWS, DEV)
    return job


def searched(directory: Path) -> SearchResult:
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, SearchResult)
    return result


def trials_of(job: SearchJob) -> list[Any]:
    """As anybody reads the study who has Optuna."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(job.study.path))
    return optuna.load_study(study_name=job.study.name, storage=storage).trials


def test_trials_are_in_optunas_journal_and_go_on_where_the_last_job_ended(tmp_path: Path, tiny_base: Path) -> None:
    job = search(tmp_path / "one", tiny_base)
    first = searched(tmp_path / "one")
    assert (first.outcome, first.run, first.finished, first.failed) == ("searched", 3, 3, 0), first.reason
    search(tmp_path / "two", tiny_base, trials=9, wanted=4)
    second = searched(tmp_path / "two")
    assert (second.run, second.finished) == (1, 4), "no more than are wanted"
    trials = trials_of(job)
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert trials[0].params == {"learning_rate": 0.02, "steps": 4, "replay_share": 1.0}, "what is in force comes first"
    assert len({trial.params["learning_rate"] for trial in trials}) == 4, "nothing is proposed twice"
    assert all(1 <= len(trial.intermediate_values) <= 6 for trial in trials)
    assert second.best is not None
    assert second.best.value == min(trial.value for trial in trials if trial.state.name == "COMPLETE")
    progress = last_progress(tmp_path / "two")
    assert progress is not None
    assert (progress.done, progress.total) == (4, 4)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        *("dev.jsonl", "job.json", "progress.jsonl", "result.json", "rows.jsonl")
    ]


def test_a_trial_is_to_the_bit_what_an_update_would_have_come_to(tmp_path: Path, tiny_base: Path) -> None:
    """Also the second on the same base: nothing of the first is left in it."""
    rates = (KNOBS[0].model_copy(update={"low": 0.02}),)
    search(tmp_path / "search", tiny_base, trials=2, knobs=rates)
    searched(tmp_path / "search")
    study = search(tmp_path / "again", tiny_base, knobs=rates)
    found = [(trial.params["learning_rate"], trial.value) for trial in trials_of(study)]
    for number, (rate, value) in enumerate(found):
        folder = tmp_path / f"update-{number}"
        make_job(folder, tiny_base, [*NEW, *OLD], dev=DEV, settings={**SETTINGS, "learning_rate": rate})
        perform(folder)
        result = read_result(folder)
        assert isinstance(result, TrainResult)
        assert result.phases[0].dev_loss == value


def test_pairs_can_be_searched_as_well(tmp_path: Path, tiny_base: Path) -> None:
    job = search(tmp_path / "job", tiny_base, method="dpo", trials=2, knobs=KNOBS[:2])
    write_rows(tmp_path / "job" / ROWS, [pair(i) for i in range(8)])
    write_rows(tmp_path / "job" / DEV_ROWS, [pair(i) for i in range(20, 28)])
    result = searched(tmp_path / "job")
    assert (result.run, result.failed) == (2, 0), result.reason
    assert trials_of(job)[0].value is not None


def test_a_validator_scores_what_the_trial_answers(tmp_path: Path, tiny_base: Path) -> None:
    """A random model says anything at all: that much is length."""
    choice = ValidatorChoice(name="length", settings={"count": "characters", "max": 10_000})
    search(tmp_path / "job", tiny_base, trials=1, validator=choice)
    result = searched(tmp_path / "job")
    assert result.objective == "1 - validator score"
    assert result.best is not None
    assert 0.0 <= result.best.value <= 0.5


def test_a_comparison_trains_both_under_each_seed_and_goes_on_with_what_is_finished(
    tmp_path: Path, tiny_base: Path
) -> None:
    good, poor = {"learning_rate": 0.05, "steps": 6}, {"learning_rate": 0.002, "steps": 2}
    search(tmp_path / "one", tiny_base, comparison=Comparison(settings=good, against=poor, seeds=(11,)))
    first = searched(tmp_path / "one")
    assert [found.seed for found in first.pairs] == [11]
    for found in first.pairs:
        assert found.settings is not None
        assert found.against is not None
        assert found.settings < found.against
    search(tmp_path / "two", tiny_base, comparison=Comparison(settings=good, against=poor, seeds=(11, 12)))
    second = searched(tmp_path / "two")
    assert second.pairs[:1] == first.pairs
    assert len(second.pairs) == 2


def test_too_few_dev_rows_are_said(tmp_path: Path, tiny_base: Path) -> None:
    search(tmp_path / "job", tiny_base)
    write_rows(tmp_path / "job" / DEV_ROWS, DEV[:5])
    result = searched(tmp_path / "job")
    assert result.outcome == "failed"
    assert "5 rows of it fit, 8 must" in result.reason
