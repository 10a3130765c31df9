"""Golden and retention: an equal candidate passes, a real loss is caught, and a small set says what it cannot see."""

import numpy as np
import pytest

from bench.gate_candidates import one
from learners.gate.noninferiority import margin_in_force, proves_no_loss, read_kept
from learners.gate.statistics import Floats, Paired


def pairs(values: Floats) -> Paired:
    return Paired(values, np.ones(len(values)))


def exactly(spread: float, items: int) -> Paired:
    """Differences of that standard deviation."""
    return pairs(np.tile([spread, -spread], items // 2) * np.sqrt((items - 1) / items))


def passed(kind: str, items: int, mean: float, margin: float, candidates: int = 400) -> float:
    drawn = np.random.default_rng([items, round(1000 * (1 + mean))])
    return sum(proves_no_loss(one(kind, drawn, items, mean), margin) for _ in range(candidates)) / candidates


@pytest.mark.parametrize("kind", ["noisy", "mostly_same", "graded"])
@pytest.mark.parametrize("items", [20, 60, 200])
def test_an_equal_candidate_nearly_always_passes(kind: str, items: int) -> None:
    assert passed(kind, items, 0.0, margin=0.05) >= 0.96


@pytest.mark.parametrize("items", [40, 200])
def test_a_loss_of_the_margin_in_force_is_nearly_always_caught(items: int) -> None:
    in_force = margin_in_force(exactly(0.14, items), 0.05)
    assert passed("noisy", items, -in_force, margin=0.05) < 0.1


def test_a_large_set_is_held_to_its_own_margin() -> None:
    assert margin_in_force(exactly(0.14, 400), 0.05) == 0.05
    assert margin_in_force(exactly(0.14, 20), 0.05) > 0.1


def test_sets_that_did_not_change_pass_and_ones_that_all_fell_do_not() -> None:
    assert proves_no_loss(pairs(np.zeros(20)), 0.05)
    assert proves_no_loss(pairs(np.full(20, -0.04)), 0.05)
    assert not proves_no_loss(pairs(np.full(20, -0.06)), 0.05)


def test_fewer_than_ten_items_say_nothing() -> None:
    assert read_kept("golden", pairs(np.full(9, -0.5)), 0.9, 0.4, 0.05) is None


def test_the_words_say_how_large_a_loss_would_show() -> None:
    kept = read_kept("golden", pairs(np.full(12, -0.2)), 0.9, 0.7, 0.05)
    assert kept is not None
    assert kept.words == "golden: 90.0 -> 70.0 of 100 on 12 items; a loss of 5.0 points cannot be excluded"
