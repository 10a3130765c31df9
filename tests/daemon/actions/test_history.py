"""What the tracker shows of a task and of an update, also once the job's directory is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.actions.history import REWARD_BINS, task_history, update_history
from daemon.errors import NotFound
from daemon.material import timed_runs
from learners.job import Progress
from learners.job_files import append_progress
from learners.yardsticks import likelihood_yardstick
from storage import registry, reservations, updates
from storage.records import Adapter
from storage.store import Store
from storage.tables import adapter as adapters
from tests.daemon.past import FATES, TASK, change_validator, context_of, judge_by, live_through, rebase, use_likelihood
from tests.storage.makers import NOW, example, keep


def test_every_version_has_its_score_with_an_interval_and_its_fate(store: Store, tmp_path: Path) -> None:
    live_through(store)
    found = task_history(context_of(store, tmp_path), TASK)
    assert [(one.version, one.fate) for one in found.versions] == [(0, "base"), *enumerate(FATES[:5], 1)]
    assert all(one.low < one.score < one.high for one in found.versions)
    assert [one.adapter for one in found.versions if one.champion] == ["erd@v4"]


def test_every_update_has_its_batch_its_gain_its_learners_and_its_stages(store: Store, tmp_path: Path) -> None:
    live_through(store)
    found = task_history(context_of(store, tmp_path), TASK).updates
    assert [(one.update_id, one.state, one.batch_size) for one in found[:2]] == [
        (1, "promoted", 21),
        (2, "promoted", 22),
    ]
    assert (found[0].difference, found[0].low, found[0].high) == pytest.approx((0.05, 0.01, 0.09))
    assert [one.learners.get("curriculum") for one in found] == [False, False, True, True, True, None]
    assert [(stage.name, stage.steps) for stage in found[0].stages] == [("easy", 2), ("hard", 2)]
    assert found[-1].difference is None


def test_rewards_stand_with_the_update_that_they_came_before(store: Store, tmp_path: Path) -> None:
    live_through(store)
    bands = task_history(context_of(store, tmp_path), TASK).rewards
    assert [(band.update_id, band.count) for band in bands] == [(number, 10) for number in range(1, 7)]
    assert [band.mean for band in bands] == sorted(band.mean for band in bands)
    assert all(len(band.percentiles) == 19 for band in bands)


def test_trends_are_those_of_champions_and_of_rewards(store: Store, tmp_path: Path) -> None:
    live_through(store)
    trend = task_history(context_of(store, tmp_path), TASK).trend
    assert (trend.rewards.direction, trend.rewards.count) == ("rising", 60)
    assert (trend.scores.direction, trend.scores.count) == ("unknown", 4), "three were promoted, after the base"


def test_the_curves_of_an_update_are_in_its_report_whatever_became_of_its_directory(
    store: Store, tmp_path: Path
) -> None:
    live_through(store)
    (phase,) = update_history(context_of(store, tmp_path), 1).phases
    assert phase.curve is not None
    assert (phase.curve.loss, phase.curve.dev) == ((3.0, 2.0, 1.5, 1.4), (2.2, 2.0))
    assert (phase.best_step, phase.steps_before) == (4, 0)


def test_while_it_trains_the_curves_are_read_from_the_directory(store: Store, tmp_path: Path) -> None:
    update = store.write(lambda tx: updates.create_update(tx, TASK, "erd@v0", "ripe", NOW))
    store.write(lambda tx: updates.create_job(tx, update.update_id, "train", 1, 1, "u1-train-1", NOW))
    (tmp_path / "jobs" / "u1-train-1").mkdir(parents=True)
    line = Progress(at=datetime(2026, 1, 1, tzinfo=UTC), done=1, total=9, phase="sft", loss=2.0)
    append_progress(tmp_path / "jobs" / "u1-train-1", line)
    (phase,) = update_history(context_of(store, tmp_path), update.update_id).phases
    assert phase.curve is not None
    assert phase.curve.loss == (2.0,)


def mean_bin(bins: Sequence[int]) -> float:
    return sum(at * count for at, count in enumerate(bins)) / sum(bins)


def test_the_rewards_of_an_update_are_those_on_its_batch_that_were_there_when_it_began(
    store: Store, tmp_path: Path
) -> None:
    live_through(store)

    def reserved(number: int) -> None:
        (origin,) = store.write(lambda tx: keep(tx, example(f"i{number}")))
        store.write(lambda tx: reservations.reserve(tx, number, [origin], NOW))

    reserved(1)
    reserved(3)
    low, high = (update_history(context_of(store, tmp_path), number).rewards for number in (1, 3))
    assert (sum(low), sum(high), len(low)) == (10, 10, REWARD_BINS)
    assert mean_bin(low) < mean_bin(high)


def test_what_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    context = context_of(store, tmp_path)
    with pytest.raises(NotFound, match="no update 7"):
        update_history(context, 7)
    with pytest.raises(NotFound, match="nothing is known of a task nobody"):
        task_history(context, "nobody")
    assert task_history(context, TASK).updates == [], "a declared task may be without a past"


def test_runs_are_timed_on_the_champions_base_and_whole_ones_alone(store: Store) -> None:
    """Newest first: (seconds, rows); not the one that went on from a checkpoint, nor one that failed."""
    live_through(store)
    champion = store.read(lambda tx: registry.get_adapter(tx, "erd@v4"))
    assert champion is not None
    assert store.read(lambda tx: timed_runs(tx, champion)) == [(3.2, 16)] * 5

    def resume(update_id: int) -> None:
        update = store.read(lambda tx: updates.get_update(tx, update_id))
        assert update is not None
        told = {**update.report, "resumed": "from the checkpoint of u5-train-1"}
        store.write(lambda tx: updates.change_update(tx, update, update.state, NOW, report=told))

    resume(5)
    assert store.read(lambda tx: timed_runs(tx, champion)) == [(3.2, 16)] * 4
    other = Adapter("erd@v9", TASK, 9, "b" * 64, None, None, NOW, "champion")
    assert store.read(lambda tx: timed_runs(tx, other)) == []


def test_a_trend_is_of_scores_by_the_newest_validator_alone(store: Store, tmp_path: Path) -> None:
    live_through(store)
    change_validator(store)
    found = task_history(context_of(store, tmp_path), TASK)
    assert (found.trend.scores.direction, found.trend.scores.count) == ("unknown", 1), "the champion, measured anew"
    assert [(one.version, one.yardstick, one.comparable) for one in found.versions] == [
        *((version, "old", False) for version in range(4)),
        (4, "new", True),
        (5, "new", True),
    ]


@pytest.mark.parametrize(("served", "answers"), [(False, "erd@v4"), (True, "erd@v7")])
def test_after_a_change_of_base_one_adapter_is_in_service_the_one_that_answers(
    store: Store, tmp_path: Path, served: bool, answers: str
) -> None:
    live_through(store)
    store.write(lambda tx: tx.execute(adapters.update().where(adapters.c.version == 4).values(directory="erd/v4")))
    rebase(store, served=served)
    found = task_history(context_of(store, tmp_path), TASK).versions
    assert [one.adapter for one in found if one.champion] == [answers]


def test_whoever_reigned_was_promoted_and_fates_are_known_however_many_updates_there_were_since(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_through(store)
    monkeypatch.setattr("daemon.actions.history.MOST_UPDATES", 1)
    store.write(lambda tx: registry.set_champion(tx, TASK, "erd@v5", NOW, "by hand"))
    found = task_history(context_of(store, tmp_path), TASK)
    assert len(found.updates) == 1
    fates = ["base", "promoted", "promoted", "rejected", "promoted", "promoted"]
    assert [one.fate for one in found.versions] == fates


def test_a_version_has_a_point_for_each_metric_and_each_metric_its_own_newest(store: Store, tmp_path: Path) -> None:
    live_through(store)
    use_likelihood(store)
    found = task_history(context_of(store, tmp_path), TASK).versions
    told = [(one.metric, one.version) for one in found]
    assert told == [*(("validator", at) for at in range(6)), ("nll", 2), ("nll", 4), ("nll", 5)]
    assert all(one.comparable for one in found)


def test_likelihoods_of_before_they_were_kept_are_read_from_the_reports_and_win_rates_are_no_scores(
    store: Store, tmp_path: Path
) -> None:
    live_through(store)
    context = context_of(store, tmp_path)
    judge_by(store, "nll")
    found = task_history(context, TASK).versions
    assert {one.metric for one in found} == {"nll"}
    assert {one.yardstick for one in found} == {likelihood_yardstick("a" * 64)}
    assert [one.version for one in found] == [0, 1, 2, 3, 4, 5]
    for primary in ("judge", "win_rate"):
        judge_by(store, primary)
        again = task_history(context, TASK)
        assert again.versions == []
        assert again.updates[0].difference == pytest.approx(0.05), "a gain it is"
