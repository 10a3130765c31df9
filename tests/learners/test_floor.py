"""The floor of SFT, where it follows the task's own history."""

from __future__ import annotations

from typing import Literal

import pytest

from learners.floor import choose_floor


@pytest.mark.parametrize(
    ("wanted", "signals", "floor", "reason"),
    [
        (0.75, [0.1] * 50, 0.75, "0.75, as configured"),
        ("auto", [1.0] * 19, 0.75, "0.75: auto wants 20 signals and there are 19"),
        ("auto", [0.7, 0.9] * 20, 0.8, "0.8: the median of the last 40 signals is 0.8"),
        ("auto", [0.1] * 30, 0.6, "0.6: the median of the last 30 signals is 0.1, kept within 0.6 to 0.95"),
        ("auto", [0.0] * 9 + [1.0] * 11, 0.95, "0.95: the median of the last 20 signals is 1, kept within 0.6 to 0.95"),
    ],
)
def test_auto_is_the_median_of_what_was_said_within_bounds(
    wanted: Literal["auto"] | float, signals: list[float], floor: float, reason: str
) -> None:
    chosen = choose_floor(wanted, signals, midpoint=0.5)
    assert chosen.signal == pytest.approx(floor)
    assert chosen.reason == reason


@pytest.mark.parametrize(
    ("wanted", "midpoint", "reason"),
    [
        (0.75, 0.8, "above 0.8, which has reward 0; updates.sft.min_signal comes to 0.75, as configured"),
        (
            "auto",
            0.7,
            "above 0.7, which has reward 0; updates.sft.min_signal comes to 0.62: the median of the last 40 signals is "
            "0.62",
        ),
        (0.7, 0.7, "above 0.7, which has reward 0; updates.sft.min_signal comes to 0.7, as configured"),
    ],
)
def test_no_floor_is_below_the_signal_that_has_no_reward(
    wanted: Literal["auto"] | float, midpoint: float, reason: str
) -> None:
    chosen = choose_floor(wanted, [0.62] * 40, midpoint)
    assert (chosen.signal, chosen.reason) == (midpoint, reason)
