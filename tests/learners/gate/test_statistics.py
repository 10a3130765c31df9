"""The bootstrap without draws agrees with drawing, and levels keep their promises."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from learners.gate.statistics import (
    ONE_POINT,
    Floats,
    Paired,
    bootstrap_bound,
    bootstrap_tail,
    is_worse,
    promotion_level,
    prove,
    spend,
    t_quantile,
)


def paired(values: Floats, weights: Floats | None = None) -> Paired:
    return Paired(values, np.ones(len(values)) if weights is None else weights)


def drawn_tail(pairs: Paired, at: float, draws: int = 200_000) -> float:
    """The plain bootstrap: draw rows, average, count."""
    random = np.random.default_rng(7)
    picked = random.integers(0, pairs.count, (draws, pairs.count))
    weights = pairs.weights[picked]
    means = (weights * pairs.values[picked]).sum(axis=1) / weights.sum(axis=1)
    return float((means <= at).mean())


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize("gain", [-0.02, 0.0, 0.03, 0.05])
@pytest.mark.parametrize("even", [True, False])
def test_the_saddlepoint_agrees_with_a_bootstrap_that_draws(count: int, gain: float, even: bool) -> None:
    random = np.random.default_rng(count)
    values = np.where(random.random(count) < 0.6, random.normal(gain * 1.5, 0.15, count), gain / 4)
    pairs = paired(values, None if even else random.uniform(0.1, 1, count))
    drawn = drawn_tail(pairs, 0.0)
    noise = 4 * np.sqrt(drawn * (1 - drawn) / 200_000)
    assert bootstrap_tail(pairs) == pytest.approx(drawn, rel=0.05, abs=noise + 1e-5)


def test_the_tail_at_another_place_agrees_too() -> None:
    pairs = paired(np.random.default_rng(3).normal(0.1, 0.2, 50))
    for at in (0.03, 0.08, 0.14):
        assert bootstrap_tail(pairs, at) == pytest.approx(drawn_tail(pairs, at), rel=0.05, abs=0.002)


def test_bounds_are_where_the_tail_is() -> None:
    pairs = paired(np.random.default_rng(4).normal(0.1, 0.2, 50))
    low, high = bootstrap_bound(pairs, 0.025), bootstrap_bound(pairs, 0.975)
    assert (bootstrap_tail(pairs, low), bootstrap_tail(pairs, high)) == pytest.approx((0.025, 0.975), abs=1e-3)
    assert low < pairs.mean < high


def test_rows_of_one_sign_leave_no_doubt_but_that_of_zeros() -> None:
    assert bootstrap_tail(paired(np.full(20, 0.1))) == 0
    assert bootstrap_tail(paired(np.full(20, -0.1))) == 1
    assert bootstrap_tail(paired(np.zeros(20))) == 1
    three_of_sixty = paired(np.array([0.5] * 3 + [0.0] * 57))
    assert bootstrap_tail(three_of_sixty) == pytest.approx(0.95**60)


numbers = st.floats(-1, 1, allow_subnormal=False)


@given(st.integers(0, 10**6), st.integers(10, 100), numbers, numbers)
def test_the_tail_is_a_probability_that_grows_with_its_place(seed: int, count: int, one: float, other: float) -> None:
    random = np.random.default_rng(seed)
    pairs = Paired(random.normal(0, 0.5, count), random.uniform(0.1, 1, count))
    low, high = (bootstrap_tail(pairs, at) for at in sorted((one, other)))
    assert 0 <= low <= high + 1e-3 <= 1 + 1e-3


def test_where_values_repeat_the_tail_is_rough_but_of_its_size() -> None:
    """Between two values that a sum of repeated numbers can take, the formula draws a smooth line."""
    for wins, losses in ((8, 1), (6, 0), (12, 2)):
        pairs = paired(np.array([0.2] * wins + [-0.2] * losses + [0.0] * (60 - wins - losses)))
        drawn = drawn_tail(pairs, 0.0)
        assert drawn / 2 < bootstrap_tail(pairs) < 2 * drawn


@given(st.lists(st.tuples(numbers, st.floats(1e-3, 1)), min_size=20, max_size=60))
@example([(0.0, 1.0)] * 18 + [(7.483652077812449e-181, 1.0), (-1.0, 1.0)])
def test_nothing_is_proven_both_better_and_worse(rows: list[tuple[float, float]]) -> None:
    pairs = Paired(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))
    if pairs.effective >= 8:
        proof = prove(pairs, 0.05, 1, 3)
        assert not (proof.better and proof.worse)
        assert not (proof.better and pairs.mean <= 0)
        assert not (proof.worse and pairs.mean >= 0)


@pytest.mark.parametrize(
    ("tail", "degrees", "table"),
    [(0.025, 19, 2.093), (0.0005, 19, 3.883), (0.0005, 60, 3.460), (0.0005, 7, 5.408), (0.05, 7, 1.895)],
)
def test_quantiles_agree_with_the_tables(tail: float, degrees: int, table: float) -> None:
    assert t_quantile(tail, degrees) == pytest.approx(table, rel=0.005)


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_what_looks_spend_adds_up(looks: int) -> None:
    assert sum(spend(look, looks) for look in range(1, looks + 1)) == pytest.approx(1)


def test_the_level_grows_with_the_prompts_up_to_alpha() -> None:
    random = np.random.default_rng(0)
    levels = [promotion_level(paired(random.normal(0, 0.14, count)), 0.05, 1, 3) for count in (20, 60, 200, 1000, 9000)]
    assert levels == sorted(levels)
    assert levels[0] < 0.001
    assert levels[-1] == pytest.approx(0.025, rel=0.01)  # the first look's half of alpha
    stricter = promotion_level(paired(random.normal(0, 0.14, 9000)), 0.01, 1, 3)
    assert stricter == pytest.approx(0.005, rel=0.02)


def test_a_point_worse_must_be_excluded_as_strictly_as_a_run_of_fifty_asks() -> None:
    values = np.random.default_rng(1).normal(0, 0.14, 200)
    pairs = paired(values)
    level = promotion_level(pairs, 0.05, 1, 3)
    t = t_quantile(level, 199)
    assert (t + ONE_POINT / pairs.standard_error) == pytest.approx(t_quantile(0.00103 / 2, 199), abs=0.05)


def test_one_imagined_row_of_caution_is_added() -> None:
    pairs = paired(np.array([0.2, 0.4, -0.6]), np.array([1.0, 2.0, 3.0])).cautious()
    assert list(pairs.values) == [0.2, 0.4, -0.6, -0.3]
    assert list(pairs.weights) == [1, 2, 3, 2]


def test_effective_size_and_error_of_even_weights_are_the_plain_ones() -> None:
    values = np.random.default_rng(0).normal(0, 1, 40)
    pairs = paired(values, np.full(40, 0.3))
    assert pairs.effective == pytest.approx(40)
    assert pairs.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(40))


def test_harm_must_be_proven_beyond_the_margin() -> None:
    values = np.random.default_rng(0).normal(-0.08, 0.1, 60)
    assert is_worse(paired(values), by=0.0, level=0.01)
    assert not is_worse(paired(values), by=0.07, level=0.01)
    assert not is_worse(paired(-values), by=0.0, level=0.01)
