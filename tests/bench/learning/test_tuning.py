"""The tuner in the gym: the daemon's jobs in their order, on rows of its own, and adopted by the daemon's rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bench.learning.bases import recorded
from bench.learning.cells import CENTRE, TUNED, Cell
from bench.learning.settings import find_setting, in_force
from bench.learning.tasks import Ask, find_task
from bench.learning.users import Reply
from examples.erd.world import Pool
from learners.job import Base, BestTrial, SearchJob, SearchResult, SeedPair
from learners.plan import steps_for
from storage.records import Row

if TYPE_CHECKING:
    from bench.learning.gym import Gym
    from bench.learning.tuning import Tuned

pytestmark = pytest.mark.train  # loads torch, as all that knows the gym does

CELL = Cell("update", "booking", "weak", TUNED, 3, CENTRE)
BETTER = {"learning_rate": 0.002, "passes": 40 / 3}


class Pretence:
    """A gym whose search jobs come to what it was told; it keeps the jobs and their rows."""

    def __init__(self, folder: Path, *results: SearchResult) -> None:
        self.task, self.base, self._folder = find_task("booking"), Base(path="base", hash="hash"), folder
        self._results = list(results)
        self.jobs: list[tuple[SearchJob, Sequence[Row], Sequence[Row]]] = []

    def asks(self, pool: Pool, seed: int, count: int, rare_share: float) -> tuple[Ask, ...]:
        made = self.task.asks(pool, seed, rare_share)
        return tuple(next(made) for _ in range(count))

    def base_replies(self, pool: Pool, seed: int, count: int, rare_share: float) -> tuple[Reply, ...]:
        return (Reply("{}", "stop"),) * len(self.asks(pool, seed, count, rare_share))

    def new_folder(self) -> Path:
        return self._folder

    def search(self, job: SearchJob, rows: Sequence[Row], dev: Sequence[Row]) -> tuple[SearchResult, float]:
        self.jobs.append((job, rows, dev))
        return self._results.pop(0), 10.0


def tuned(gym: Pretence) -> Tuned:
    from bench.learning.tuning import tune

    config = in_force(gym.task, find_setting(TUNED), rows=24, steps=25)
    return tune(cast("Gym", gym), recorded()["booking/weak"], CELL, config)


def tried(**best: float) -> SearchResult:
    settings = {"learning_rate": 0.005, "passes": 25 * 8 / 24, **best}
    return SearchResult(
        outcome="searched", reason="", finished=12, best=BestTrial(number=1, value=0.1, settings=settings)
    )


def compared(*gains: float) -> SearchResult:
    pairs = tuple(SeedPair(seed=at, against=0.5, settings=0.5 - gain) for at, gain in enumerate(gains))
    return SearchResult(outcome="searched", reason="", pairs=pairs)


def test_what_wins_under_three_seeds_is_adopted(tmp_path: Path) -> None:
    gym = Pretence(tmp_path, tried(**BETTER), compared(0.05, 0.06, 0.05))
    found = tuned(gym)
    assert (found.adopted, found.settings, found.trials, found.cpu_s) == (True, BETTER, 12, 20.0)
    (first, rows, dev), (second, _, _) = gym.jobs
    assert (first.trials, len(rows), len(dev) >= 8) == (12, 24, True)
    assert second.comparison is not None
    assert second.comparison.settings == BETTER
    assert second.comparison.against == {"learning_rate": 0.005, "steps": 25.0}


def test_what_could_be_chance_is_not_adopted(tmp_path: Path) -> None:
    found = tuned(Pretence(tmp_path, tried(**BETTER), compared(0.05, -0.01, 0.05)))
    assert (found.adopted, found.settings["learning_rate"]) == (False, 0.005)
    assert "not in every seed" in found.reason


def test_where_what_is_configured_did_best_there_is_no_comparison(tmp_path: Path) -> None:
    gym = Pretence(tmp_path, tried())
    found = tuned(gym)
    assert not found.adopted
    assert len(gym.jobs) == 1
    assert "nothing did better" in found.told()["tuned_because"]


def test_a_search_without_numbers_comes_to_an_end(tmp_path: Path) -> None:
    nothing = SearchResult(outcome="searched", reason="", finished=0)
    found = tuned(Pretence(tmp_path, *[nothing] * 10))
    assert (found.adopted, found.trials) == (False, 0)


def test_it_searches_on_what_was_told_earlier_alone(tmp_path: Path) -> None:
    gym = Pretence(tmp_path, tried())
    tuned(gym)
    _, rows, dev = gym.jobs[0]
    later = {ask.prompt for ask in gym.asks(Pool.EVENTS, CELL.seed, 240, CENTRE.rare)}
    seen = [{row.messages[-1].content for row in some} for some in (rows, dev)]
    assert not seen[0] & seen[1]
    assert len((seen[0] | seen[1]) & later) < len(seen[0] | seen[1]) / 4
    assert all(row.origin.interaction_id.startswith("earlier-") for row in (*rows, *dev))


def test_the_worker_does_such_a_job(tmp_path: Path) -> None:
    from bench.learning.gym import Gym
    from tests.learners.training.tiny import make_base

    pretence = Pretence(tmp_path, tried())
    tuned(pretence)
    job, rows, dev = pretence.jobs[0]
    with Gym("booking", make_base(tmp_path / "base")) as gym:
        own: dict[str, Any] = {"base": gym.base, "trials": 1, "wanted": 1, "validator": None, "start_from": {}}
        knobs = tuple(knob.model_copy(update={"low": 2, "high": 4}) for knob in job.knobs if knob.name == "passes")
        result, cpu_s = gym.search(job.model_copy(update={**own, "knobs": knobs}), rows[:8], dev[:8])
    assert (result.finished, result.objective) == (1, "dev loss")
    assert cpu_s > 0


def test_the_update_trains_with_what_was_adopted(tmp_path: Path) -> None:
    from bench.learning.single import config_of
    from bench.learning.updates import task_of

    gym = cast("Gym", Pretence(tmp_path))
    before, after = (task_of(config_of(gym, CELL, found), "booking").sft for found in ({}, BETTER))
    assert (before.learning_rate, before.steps) == (0.005, 25)
    assert (after.learning_rate, after.steps) == (0.002, "13.333 passes")
    assert steps_for(24, after.batch_size, after.steps) == 40
