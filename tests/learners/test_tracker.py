"""Is it getting better? Trends against brute force and by chance, and how sure a score is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from random import Random
from statistics import fmean

import pytest

from learners.tracker import mann_kendall, reward_trend, score_interval, theil_sen, trend_of


def test_a_clear_rise_is_rising_and_its_size_is_that_of_the_line() -> None:
    found = trend_of([0.5, 0.6, 0.7, 0.8, 0.9])
    assert found.direction == "rising"
    assert found.change == pytest.approx(0.4)
    assert trend_of([0.9, 0.8, 0.7, 0.6, 0.5]).direction == "falling"


def test_one_outlier_does_not_move_the_slope() -> None:
    assert theil_sen([0.1, 0.2, 0.3, 9.0, 0.5, 0.6, 0.7]) == pytest.approx(0.1)


def test_too_few_values_say_nothing() -> None:
    found = trend_of([0.1, 0.5, 0.9, 1.0])
    assert (found.direction, found.p) == ("unknown", None)
    assert reward_trend([0.1] * 23).p is None


def test_the_same_value_for_ever_is_steady() -> None:
    found = trend_of([0.7] * 9)
    assert (found.direction, found.change, found.p) == ("steady", 0.0, 1.0)


@pytest.mark.parametrize(("worse", "better"), [(20, 180), (180, 20)], ids=["long ago", "yesterday"])
def test_one_step_is_a_trend_though_most_of_the_series_does_not_move(worse: int, better: int) -> None:
    risen = reward_trend([-1.0] * worse + [1.0] * better)
    assert risen.p is not None
    assert (risen.direction, risen.change, risen.p < 0.001) == ("rising", 0.0, True)
    assert reward_trend([1.0] * worse + [-1.0] * better).direction == "falling"


def test_steady_is_said_only_of_what_may_be_chance() -> None:
    random = Random(7)
    for _ in range(50):
        found = reward_trend([1.0 if random.random() < 0.7 + 0.002 * at else -1.0 for at in range(100)])
        assert found.p is not None
        assert (found.direction == "steady") == (found.p >= 0.05)
        assert found.direction == "steady" or found.change * (1 if found.direction == "rising" else -1) >= 0


def strength(order: Sequence[float]) -> int:
    """How far pairs in order and pairs out of order are apart."""
    return abs(sum((b > a) - (b < a) for i, a in enumerate(order) for b in order[i + 1 :]))


def test_p_is_near_the_share_of_orders_that_are_as_extreme() -> None:
    """Over all orders of seven values, one of them twice: the normal approximation against counting."""
    values = (1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    seen = [1.0, 2.0, 3.0, 2.0, 5.0, 4.0, 6.0]
    counted = fmean(strength(order) >= strength(seen) for order in permutations(values))
    assert mann_kendall(seen) == pytest.approx(counted, abs=0.02)


def test_without_a_trend_it_finds_one_in_about_one_series_of_twenty() -> None:
    random = Random(3)
    found = [reward_trend([random.choice((-0.9, 0.2, 1.0)) for _ in range(200)]) for _ in range(400)]
    assert fmean(one.direction in ("rising", "falling") for one in found) == pytest.approx(0.05, abs=0.035)


def test_thumbs_that_get_better_are_seen_to_rise_though_most_pairs_are_ties() -> None:
    random = Random(5)
    thumbs = [1.0 if random.random() < 0.3 + 0.5 * at / 200 else -1.0 for at in range(200)]
    found = reward_trend(thumbs)
    assert found.direction == "rising"
    assert found.change == pytest.approx(1.0, abs=0.4), "from 0.3 to 0.8 of thumbs up is a rise of the reward by 1"


def test_the_interval_of_a_score_holds_it_and_narrows_with_prompts() -> None:
    few, many = score_interval(0.9, 20), score_interval(0.9, 200)
    assert few[0] < many[0] < 0.9 < many[1] < few[1]
    assert score_interval(1.0, 50)[1] == pytest.approx(1.0)
    assert score_interval(0.3, 0) == (0.0, 1.0)


def test_the_interval_of_pass_and_fail_is_wilsons() -> None:
    """7 of 10: the textbook's (0.397, 0.892)."""
    assert score_interval(0.7, 10) == pytest.approx((0.3968, 0.8922), abs=1e-4)
