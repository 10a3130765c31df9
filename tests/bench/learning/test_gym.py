"""The gym on a random model: it trains the product's own jobs, in the order asked for, and can look on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bench.learning.settings import ARRIVAL, SFT, Setting, find_setting, in_force
from bench.learning.tasks import Faults
from bench.learning.users import Crowd, Reply, Told, tell
from examples.erd.world import Pool

if TYPE_CHECKING:
    from bench.learning.gym import Gym
    from bench.learning.updates import Batch, Ended

pytestmark = pytest.mark.train

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gym]:
    from bench.learning.gym import Gym
    from tests.learners.training.tiny import make_base

    with Gym("booking", make_base(tmp_path_factory.mktemp("gym") / "base")) as gym:
        yield gym


def told(gym: Gym, count: int) -> list[Told]:
    asks = gym.asks(Pool.EVENTS, 1, count, 0.0)
    return tell(gym.task, Faults(), asks, [Reply("{}", "stop")] * count, Crowd(noise=0.0), 1, NOW)


def train(gym: Gym, setting: Setting, count: int, *, steps: int = 4, rate: float = 0.02) -> tuple[Batch, Ended]:
    from bench.learning.updates import pick_batch, run_update

    config = in_force(gym.task, setting, rows=10, steps=steps, rate=rate)
    batch = pick_batch(told(gym, count), setting, config, "booking", NOW, 1)
    return batch, run_update(gym, batch, setting, config, 1, look_every=2)


def test_an_update_in_order_of_arrival_sees_the_first_first_and_can_be_looked_at(gym: Gym) -> None:
    _, ended = train(gym, ARRIVAL, 30)
    assert [each.example.interaction_id for each in ended.trained_on] == [f"i{at:04}" for at in range(10)]
    assert ended.trained.steps[:2] == (tuple(range(8)), (8, 9, 0, 1, 2, 3, 4, 5))
    assert [(step, folder.is_dir()) for step, folder, _ in ended.trained.snapshots] == [(2, True), (4, True)]
    assert 0 < ended.trained.snapshots[0][2] < ended.trained.snapshots[1][2] < ended.cpu_s


def test_a_learner_that_chooses_does_so_in_the_worker_within_the_caps(gym: Gym) -> None:
    batch, ended = train(gym, find_setting("only-active"), 40)
    assert len(batch.chosen) == 40
    users = [each.example.user_id for each in ended.trained_on]
    assert len(users) == 10
    assert max(map(users.count, users)) <= 2


def test_a_job_that_changes_nothing_says_so(gym: Gym) -> None:
    from bench.learning.gym import TrainingFailed

    with pytest.raises(TrainingFailed, match="no change"):
        train(gym, SFT, 12, steps=1, rate=1e-9)
