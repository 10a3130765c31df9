"""What a gate could detect: said from its last looks, and in agreement with the simulation."""

from dataclasses import replace

import pytest

from bench.gate import simulate
from learners.gate import GateSettings, power_of
from learners.gate.power import DEFAULT_SPREAD, detectable

from .evidence_rows import look

SETTINGS = GateSettings()


def judged(error: float, effective: float, prompts: int, **more: object) -> object:
    report = {"standard_error": error, "effective_prompts": effective, "prompts": prompts, **more}
    return replace(look(1, prompts), report=report)


@pytest.mark.parametrize("prompts", [60, 200])
def test_the_gain_it_names_is_found_in_about_80_percent_of_cases(prompts: int) -> None:
    gain = detectable(prompts, 0.14, SETTINGS.alpha, SETTINGS.looks)
    assert 0.72 < simulate("noisy", prompts, gain, candidates=400, seed=5, rejections=False).first < 0.88


def test_the_spread_is_that_of_the_last_looks() -> None:
    power = power_of(100, [judged(0.02, 50, 100), judged(0.02, 50, 100)], SETTINGS)  # type: ignore[list-item]
    assert power.measured
    assert power.spread == pytest.approx(0.02 * 50**0.5)
    assert power.effective == pytest.approx(50)
    assert power.words.startswith("gate of 100 prompts, which count as 50, spread 14 points: detects a gain of ")


def test_before_the_first_look_a_stated_spread_is_assumed() -> None:
    power = power_of(63, [], SETTINGS)
    assert (power.measured, power.spread) == (False, DEFAULT_SPREAD)
    assert power.words == (
        "gate of 63 prompts, spread 14 points (assumed: nothing judged yet): detects a gain of 7.0 points in 80% of "
        "cases at the first look"
    )


def test_a_screen_is_no_look_at_the_spread() -> None:
    assert not power_of(63, [judged(0.02, 30, 30, screened=True)], SETTINGS).measured  # type: ignore[list-item]


def test_too_few_prompts_detect_nothing() -> None:
    assert power_of(19, [], SETTINGS).words == (
        "19 different prompts of the 20 that are wanted: too few to judge anything"
    )
    assert power_of(0, [], SETTINGS).gain is None


def test_the_spread_of_another_validators_differences_is_none_of_this_one() -> None:
    wide, narrow = judged(0.04, 100, 100, yardstick="old"), judged(0.01, 100, 100, yardstick="new")
    older = judged(0.01, 100, 100)
    assert power_of(100, [narrow, wide, wide, wide], SETTINGS).spread == pytest.approx(0.1)  # type: ignore[list-item]
    assert power_of(100, [narrow, older, older], SETTINGS).spread == pytest.approx(0.1)  # type: ignore[list-item]
    assert power_of(100, [wide, narrow, narrow], SETTINGS).spread == pytest.approx(0.4)  # type: ignore[list-item]
