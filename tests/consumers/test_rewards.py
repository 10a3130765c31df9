from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumers.rewards import (
    RewardSettings,
    aged_out,
    agreement,
    decay,
    difficulty,
    normalise,
    reward,
    version_decay,
    weight,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DEFAULT = RewardSettings()
DAY_S = 86400.0
signals = st.floats(min_value=0, max_value=1)
settings = st.builds(
    RewardSettings,
    midpoint=st.floats(min_value=0.01, max_value=0.99),
    steepness=st.floats(min_value=0.01, max_value=100),
)
some_weights = st.lists(st.floats(min_value=0, max_value=1e300), min_size=1, max_size=40)


@given(settings)
def test_the_reward_runs_from_minus_1_through_0_at_the_midpoint_to_1(with_settings: RewardSettings) -> None:
    assert reward(0.0, with_settings) == -1.0
    assert reward(with_settings.midpoint, with_settings) == 0.0
    assert reward(1.0, with_settings) == 1.0


@given(settings, signals, signals)
def test_the_reward_is_monotone_and_bounded(with_settings: RewardSettings, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert -1 <= reward(low, with_settings) <= reward(high, with_settings) <= 1


def test_the_reward_is_the_scaled_sigmoid() -> None:
    def u(signal: float) -> float:
        return 2 / (1 + exp(-8 * (signal - 0.7))) - 1

    assert reward(0.9, DEFAULT) == pytest.approx(u(0.9) / u(1))
    assert reward(0.2, DEFAULT) == pytest.approx(u(0.2) / -u(0))


@pytest.mark.parametrize("signal", [-0.01, 1.01, float("nan")])
def test_a_signal_outside_0_to_1_has_no_reward(signal: float) -> None:
    with pytest.raises(ValueError, match="a signal is in"):
        reward(signal, DEFAULT)


def test_weight_halves_with_each_half_life() -> None:
    assert decay(NOW, NOW, DAY_S) == 1.0
    assert decay(NOW - timedelta(days=1), NOW, DAY_S) == 0.5
    assert decay(NOW - timedelta(days=3), NOW, DAY_S) == 0.125
    assert decay(NOW + timedelta(days=3), NOW, DAY_S) == 1.0
    assert decay(datetime(1970, 1, 1, tzinfo=UTC), NOW, 0.001) == 0.0


def test_hard_answers_count_up_to_twice_and_easy_ones_down_to_half() -> None:
    assert [difficulty(signal) for signal in (0.0, 0.5, 1.0, None)] == [2.0, 1.0, 0.5, 1.0]


@given(signals, signals)
def test_difficulty_falls_with_the_signal(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.5 <= difficulty(high) <= difficulty(low) <= 2


def test_weight_is_decay_times_difficulty_times_trust() -> None:
    then = NOW - timedelta(days=30)
    assert weight(then, NOW, DEFAULT) == pytest.approx(0.5)
    assert weight(then, NOW, DEFAULT, signal=0.0, trust=0.25) == pytest.approx(0.25)


@given(some_weights)
@example([0.0, 0.0, 2.132957602700136e65, 1.186497050768066e-243])
@example([0.0] * 5 + [1.0, 3.805419890093173e16, 3.805419890093173e16, 4.3225541783479524e20])
def test_normalised_weights_have_mean_1_and_none_above_3(weights: list[float]) -> None:
    found = normalise(weights)
    assert max(found) <= 3
    weighty = sum(1 for each in weights if each > max(weights) * 1e-290)
    if weighty * 3 >= len(weights) or weighty == 0:
        assert sum(found) / len(found) == pytest.approx(1.0)
    else:
        assert [each for each in found if each] == pytest.approx([3.0] * weighty)


@given(some_weights)
def test_normalising_keeps_the_order(weights: list[float]) -> None:
    by_weight = [after for _, after in sorted(zip(weights, normalise(weights), strict=True))]
    assert all(low <= high for low, high in pairwise(by_weight))


@given(some_weights, st.sampled_from([1e-300, 0.5, 2.0]))
def test_the_unit_of_weights_does_not_matter(weights: list[float], factor: float) -> None:
    if all(each == 0 or each > 1 for each in weights):
        assert normalise([each * factor for each in weights]) == pytest.approx(normalise(weights))


def test_weights_by_hand() -> None:
    assert normalise([]) == ()
    assert normalise([2.0, 2.0]) == (1.0, 1.0)
    assert normalise([1.0, 3.0]) == (0.5, 1.5)
    assert normalise([97.0, 1.0, 1.0, 1.0]) == pytest.approx((3.0, 1 / 3, 1 / 3, 1 / 3))
    assert normalise([1.0, 1e-20, 1e-20, 1e-20]) == pytest.approx((3.0, 1 / 3, 1 / 3, 1 / 3))
    assert normalise([1.0, 0.0, 0.0, 0.0]) == (3.0, 0.0, 0.0, 0.0)


def test_weights_that_decayed_to_nothing_count_alike() -> None:
    assert normalise([0.0, 0.0]) == (1.0, 1.0)
    assert normalise([5e-324, 5e-324]) == (1.0, 1.0)


@pytest.mark.parametrize("weights", [[1.0, -0.1], [float("nan")], [float("inf"), 1.0]])
def test_a_weight_that_is_negative_or_none_is_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="negative or not finite"):
        normalise(weights)


def test_feedback_ages_out() -> None:
    assert not aged_out(NOW - timedelta(days=365), NOW, DEFAULT)
    assert aged_out(NOW - timedelta(days=366), NOW, DEFAULT)
    assert not aged_out(NOW + timedelta(days=366), NOW, DEFAULT)


def test_settings_read_durations_as_people_write_them() -> None:
    found = RewardSettings.model_validate({"half_life": "30d", "settle": "10m", "join_wait": "24h", "max_age": "365d"})
    assert found == DEFAULT


@pytest.mark.parametrize("broken", [{"midpoint": 0}, {"midpoint": 1}, {"steepness": 0}, {"half_life": "0s"}])
def test_settings_that_have_no_reward_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RewardSettings.model_validate(broken)


@pytest.mark.parametrize(("up", "down", "agreed"), [(1, 0, 1.0), (3, 1, 0.5), (2, 1, 1 / 3), (1, 1, 0.1)])
def test_agreement_of_thumbs_is_how_far_one_side_outnumbers_the_other(up: int, down: int, agreed: float) -> None:
    share = up / (up + down)
    assert agreement(share * (1 - share)) == pytest.approx(agreed)


def test_half_the_weight_is_left_after_a_half_life_of_versions() -> None:
    settings = RewardSettings(half_life_versions=3.0)
    assert weight(NOW, NOW, settings, versions_behind=3) == pytest.approx(0.5)
    assert version_decay(6, 3.0) == pytest.approx(0.25)
    assert version_decay(-1, 3.0) == version_decay(99, None) == 1.0
