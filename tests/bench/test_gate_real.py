"""The rates that the gate is said to keep with really trained adapters."""

from __future__ import annotations

import pytest

from bench.gate_real import exact_interval, rate


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 50, 0.0, 0.0711), (1, 50, 0.0005, 0.1065), (4, 10, 0.1216, 0.7376), (3, 3, 0.2924, 1)],
)
def test_rates_have_the_exact_interval_of_the_tables(count: int, of: int, low: float, high: float) -> None:
    assert exact_interval(count, of) == pytest.approx((low, high), abs=1e-4)


def test_a_rate_of_nothing_is_none() -> None:
    assert rate(0, 0) == "none"
    assert rate(1, 50) == "1 (2 %, 0 to 11 %)"
