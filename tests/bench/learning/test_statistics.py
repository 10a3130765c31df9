"""Intervals and corrections against figures from printed tables."""

from __future__ import annotations

import pytest

from bench.learning.statistics import (
    censored_median,
    estimate,
    first_reached,
    holm,
    p_above,
    paired,
    t_cdf,
    t_quantile,
)


@pytest.mark.parametrize(("degrees", "printed"), [(1, 12.706), (4, 2.776), (9, 2.262), (30, 2.042)])
def test_quantiles_are_those_of_the_printed_table(degrees: int, printed: float) -> None:
    assert t_quantile(0.975, degrees) == pytest.approx(printed, abs=2e-3)


def test_the_distribution_is_symmetric() -> None:
    assert t_cdf(0, 5) == 0.5
    assert t_cdf(-2, 5) == pytest.approx(1 - t_cdf(2, 5))


def test_an_interval_is_that_of_student() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3
    assert found.high - found.mean == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-3)
    assert estimate([7.0]).low == estimate([7.0]).high == 7
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_pairs_are_made_by_seed() -> None:
    found = paired({1: 0.9, 2: 0.8, 3: 0.1}, {1: 0.7, 2: 0.6, 4: 0.9})
    assert found is not None
    assert (round(found.mean, 9), found.count) == (0.2, 2)
    assert paired({1: 0.9}, {2: 0.9}) is None


def test_one_value_proves_nothing() -> None:
    assert p_above([9.0], 0.0) == 1.0
    assert p_above([1.0, 1.1, 0.9], 0.0) < 0.01
    assert p_above([1.0, 1.1, 0.9], 2.0) > 0.99


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_a_miss_is_later_than_every_time_and_not_dropped() -> None:
    assert first_reached([(5, 0.7), (10, 0.81), (15, 0.79)], 0.8) == 10
    assert first_reached([(5, 0.7)], 0.8) is None
    assert censored_median([5.0, None, 10.0]) == 10
    assert censored_median([5.0, None, None]) is None
    assert censored_median([]) is None
