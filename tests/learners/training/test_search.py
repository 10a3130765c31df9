"""A search over a tiny model: trials are updates in small, over a base that is loaded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from consumers.cleaning import prompt_key
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
from learners.job_files import last_progress, read_made, read_result, write_job, write_rows
from learners.off_policy import SOLVED
from learners.training.planning import Prepared, prepare
from learners.training.worker import perform
from storage.records import Message, Row
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    # transformers warns of its own renaming, whichever of the two names is used
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

SETTINGS = {"learning_rate": 0.02, "steps": 4, "batch_size": 4}
KNOBS = (
    Knob(name="learning_rate", low=0.015, high=0.2, log=True, configured=0.02),
    Knob(name="passes", low=1, high=2, log=True, configured=4 * 4 / 12),
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
    assert trials[0].params == {"learning_rate": 0.02, "passes": 4 / 3, "replay_share": 1.0}, (
        "what is in force comes first"
    )
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
        settings = {**SETTINGS, "learning_rate": rate}
        result = updated(tmp_path / f"update-{number}", tiny_base, [*NEW, *OLD], settings=settings)
        assert result.phases[0].dev_loss == value


def updated(folder: Path, base: Path, rows: list[Row], **changes: Any) -> TrainResult:
    """What an update on those rows comes to."""
    make_job(folder, base, rows, dev=changes.pop("dev", DEV), **changes)
    perform(folder)
    result = read_result(folder)
    assert isinstance(result, TrainResult)
    return result


def value_of(folder: Path, base: Path, rows: list[Row], dev: list[Row] = DEV, **changes: Any) -> float:
    """What the first trial of a search on those rows comes to, which trains by what is configured."""
    study = StudyPlace(path=str(folder / "studies" / "tiny.journal"), name="sft-1")
    rates = (KNOBS[0].model_copy(update={"low": 0.02, "high": 0.021}),)
    changes = {"trials": 1, "knobs": rates, "start_from": {"learning_rate": 0.02}, "study": study, **changes}
    job = search(folder, base, **changes)
    write_rows(folder / ROWS, rows)
    write_rows(folder / DEV_ROWS, dev)
    result = searched(folder)
    assert (result.run, result.failed) == (1, 0), result.reason
    value = trials_of(job)[0].value
    assert isinstance(value, float)
    return value


def test_with_augmentation_a_trial_trains_on_what_an_update_would_and_never_on_the_gate(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made goes through the validator and past the gate's prompts, in a trial as in an update."""
    asked = {"Ada": "what", "Bob": "where", "Cleo": "why", "Dan": "how", "Eve": "who", "Fay": "when"}
    rows = [
        replace(row(at, completion=f"{name} likes {name}"), messages=(Message("user", f"{word} of {name}?"),))
        for at, (name, word) in enumerate(asked.items())
    ]
    gate = [f"{word} of {name}?" for word in asked.values() for name in ("Ada", "Bob")]
    terms: dict[str, Any] = {
        "learners": {"augmentation": {"growth": 3}},
        "validator": ValidatorChoice(name="regex", settings={"pattern": "(Ada|Bob|Cleo|Dan) .*"}),
        "gate_keys": tuple(prompt_key([Message("user", prompt)]) for prompt in gate),
    }
    make_job(tmp_path / "update", tiny_base, rows, dev=DEV, settings=SETTINGS, **terms)
    perform(tmp_path / "update")
    made = []

    def watched(folder: Path, *given: Any) -> Prepared:
        found = prepare(folder, *given)
        made.append(read_made(folder))
        return found

    monkeypatch.setattr("learners.training.search.prepare", watched)
    search(tmp_path / "search", tiny_base, trials=1, **terms)
    write_rows(tmp_path / "search" / ROWS, rows)
    searched(tmp_path / "search")
    assert made == [read_made(tmp_path / "update")]
    assert made[0] is not None
    assert {found.completion for found in made[0].rows} == {"Cleo likes Cleo", "Dan likes Dan"}


def test_pairs_that_the_champion_has_solved_are_outgrown_in_a_trial_too(tmp_path: Path, tiny_base: Path) -> None:
    solved = [pair(i, chosen="yes yes", rejected="no no no no no") for i in range(8)]
    dev = [pair(i) for i in range(20, 28)]
    own: dict[str, Any] = {"method": "dpo", "settings": SETTINGS}
    champion = updated(tmp_path / "champion", tiny_base, solved, dev=dev, **own)
    path = str(tmp_path / "champion" / "adapter")
    assert champion.outcome == "trained", champion.reason
    other = [pair(i, chosen="no no no no no", rejected="yes yes") for i in range(8, 14)]
    dev = [replace(other[0], messages=one.messages) for one in dev]
    terms: dict[str, Any] = {"champion_path": path, "off_policy": {"solved_margin": 0.0}}
    terms["start"] = Start(mode="champion", adapter_path=path)
    found = updated(tmp_path / "update", tiny_base, [*solved, *other], dev=dev, **own, **terms)
    assert found.outcome == "trained", found.reason
    assert found.phases[0].dropped == {SOLVED: 8}
    value = value_of(tmp_path / "trial", tiny_base, [*solved, *other], dev, method="dpo", **terms)
    assert value == found.phases[0].dev_loss


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"max_retention_kl": 1e-9}, "forgot too much"),
        ({"settings": {**SETTINGS, "steps": 1}, "knobs": "tiny rates"}, "no change"),
        ({"knobs": "huge rates"}, "was not finite"),
    ],
    ids=["forgets", "moves nothing", "diverges"],
)
def test_what_an_update_would_be_refused_for_comes_to_no_number(
    tmp_path: Path, tiny_base: Path, changes: dict[str, Any], why: str
) -> None:
    rates = {"tiny rates": (1e-9, 2e-9), "huge rates": (1e30, 2e30)}
    if "knobs" in changes:
        low, high = rates[changes["knobs"]]
        knobs = (Knob(name="learning_rate", low=low, high=high, configured=low),)
        changes = {**changes, "knobs": knobs, "start_from": {"learning_rate": low}}
    job = search(tmp_path / "job", tiny_base, trials=1, **changes)
    result = searched(tmp_path / "job")
    assert (result.run, result.failed, result.best) == (1, 1, None)
    assert "1 came to no number: " in result.reason
    assert why in result.reason
    assert [trial.state.name for trial in trials_of(job)] == ["PRUNED"]


def test_what_is_in_force_is_compared_by_its_steps_and_what_won_by_its_passes(tmp_path: Path, tiny_base: Path) -> None:
    """Twelve rows in fours: two passes are six steps, so both sides are the same to the bit."""
    against: dict[str, float | Literal["auto"]] = {"learning_rate": 0.02, "steps": 6.0}
    same = Comparison(settings={"learning_rate": 0.02, "passes": 2.0}, against=against, seeds=(11,))
    search(tmp_path / "job", tiny_base, comparison=same)
    (found,) = searched(tmp_path / "job").pairs
    assert found.against == found.settings
    assert found.against is not None


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
    good: dict[str, float] = {"learning_rate": 0.05, "passes": 2}
    poor: dict[str, float | Literal["auto"]] = {"learning_rate": 0.002, "steps": 2}
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
