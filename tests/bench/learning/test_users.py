"""What simulated users say becomes the product's examples, and noise is as much of it as was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from statistics import fmean

from bench.learning.tasks import Faults, find_task
from bench.learning.users import Crowd, Reply, Told, tell
from consumers.rewards import RewardSettings
from examples.erd.world import Pool
from learners.router import rows_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = find_task("booking")
ASKS = list(islice(TASK.asks(Pool.EVENTS, 1, 0.1), 120))


def told(crowd: Crowd, *, right: bool = False, seed: int = 1) -> list[Told]:
    replies = [Reply(TASK.good_answer(ask) if right else "{}", "stop") for ask in ASKS]
    return tell(TASK, Faults({"short": 1.0}), ASKS, replies, crowd, seed, NOW)


def test_a_careful_user_corrects_what_is_wrong_into_what_is_wanted() -> None:
    for each in told(Crowd(noise=0.0)):
        assert each.example.correction is not None
        assert each.example.correction.text == TASK.good_answer(each.ask)


def test_a_careful_user_praises_what_is_right() -> None:
    for each in told(Crowd(noise=0.0), right=True):
        assert each.example.correction is None
        assert each.example.scalar is not None
        assert each.example.scalar.signal == 1.0


def test_noise_is_the_share_that_was_asked_for() -> None:
    share = fmean(each.noisy for each in told(Crowd(noise=0.4)))
    assert 0.25 < share < 0.55
    assert not any(each.noisy for each in told(Crowd(noise=0.0)))


def test_with_thumbs_nobody_writes() -> None:
    found = told(Crowd(noise=0.0, kind="thumbs"))
    assert all(each.example.correction is None and each.example.scalar for each in found)
    assert {each.example.scalar.signal for each in found if each.example.scalar} == {0.0}


def test_hostile_users_say_more_than_their_share() -> None:
    crowd = Crowd(noise=0.0, hostile=0.2, flood=4)
    found = told(crowd)
    assert fmean(each.hostile for each in found) > 0.35
    for each in found:
        if each.hostile:
            assert each.example.correction is not None
            assert TASK.judge(each.ask, each.example.correction.text).generic


def test_the_router_makes_rows_of_it() -> None:
    rows = [row for each in told(Crowd()) for row in rows_of(each.example, RewardSettings(), NOW)]
    assert {row.role for row in rows} == {"target", "response"}
    assert len({row.user_id for row in rows}) == 10


def test_the_same_seed_says_the_same() -> None:
    assert told(Crowd()) == told(Crowd())
    assert told(Crowd()) != told(Crowd(), seed=2)
