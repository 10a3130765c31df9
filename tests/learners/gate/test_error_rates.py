"""The promises in numbers, by a small seeded simulation; `bench/gate.py` is the large one."""

import pytest

from bench.gate import RUN, simulate
from bench.gate_candidates import KINDS

HONEST = [kind for kind in KINDS if kind != "disastrous"]


@pytest.mark.parametrize("kind", HONEST)
def test_equal_candidates_are_promoted_in_under_5_percent_over_all_looks(kind: str) -> None:
    rates = simulate(kind, prompts=100, mean=0.0, candidates=500, seed=11)
    assert rates.promoted < 0.05
    assert rates.rejected < 0.05 + 0.025


@pytest.mark.parametrize("kind", HONEST)
def test_runs_of_50_candidates_a_point_worse_hardly_ever_contain_a_promotion(kind: str) -> None:
    promoted = sum(
        round(1000 * simulate(kind, prompts, mean=-0.01, candidates=1000, seed=12, rejections=False).promoted)
        for prompts in (60, 200)
    )
    assert promoted / 2000 <= 1 - 0.95 ** (1 / RUN) + 0.0015  # the promise and twice the noise of 2,000 candidates


def test_five_points_better_are_seen_at_the_first_look_on_200_prompts() -> None:
    assert simulate("noisy", prompts=200, mean=0.05, candidates=200, seed=13, rejections=False).first > 0.9


def test_the_simulation_would_notice_a_gate_without_care() -> None:
    """At nominal 5 % a look, without regard to runs or looks, equal candidates pass far too often."""
    import numpy as np

    from learners.gate.statistics import Paired, bootstrap_tail

    random, passed = np.random.default_rng(0), 0
    for _ in range(400):
        values = random.normal(0, 0.14, 225)
        passed += any(bootstrap_tail(Paired(values[:size], np.ones(size))) < 0.05 for size in (100, 150, 225))
    assert passed / 400 > 0.07


def test_a_screen_ends_what_is_far_worse_and_nothing_that_is_equal_or_better() -> None:
    assert simulate("demo", prompts=200, mean=-0.15, candidates=100, seed=14).screened > 0.7
    for mean in (0.0, 0.03):
        assert simulate("demo", prompts=200, mean=mean, candidates=300, seed=14).screened <= 0.01
