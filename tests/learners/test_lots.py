"""Lots: who comes into a batch is drawn, the heavier the likelier, and nobody can aim at it."""

from collections import Counter
from math import inf, isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.lots import chance_of, lot
from storage.records import Origin

KEY = b"a secret"


def test_of_two_the_heavier_is_first_in_proportion_to_the_weights() -> None:
    draws = 4000
    first = sum(
        lot(chance_of(Origin(f"a{at}", 1), KEY), 3.0) < lot(chance_of(Origin(f"b{at}", 1), KEY), 1.0)
        for at in range(draws)
    )
    assert first / draws == pytest.approx(0.75, abs=0.03)


def test_equal_weights_have_equal_chances() -> None:
    origins = [Origin(str(at), 1) for at in range(10)]
    first = Counter(
        min(origins, key=lambda one: lot(chance_of(one, str(key).encode()), 0.3)).interaction_id for key in range(2000)
    )
    assert all(150 <= count <= 250 for count in first.values())


def test_a_lot_is_the_same_at_every_look_and_another_with_new_feedback_or_another_secret() -> None:
    one = chance_of(Origin("i1", 1), KEY)
    assert one == chance_of(Origin("i1", 1), KEY)
    assert len({one, chance_of(Origin("i1", 2), KEY), chance_of(Origin("i1", 1), b"another")}) == 3


def test_what_ages_alike_keeps_its_order() -> None:
    chances = [chance_of(Origin(str(at), 1), KEY) for at in range(20)]
    now = sorted(range(20), key=lambda at: lot(chances[at], 1.0 + at))
    later = sorted(range(20), key=lambda at: lot(chances[at], (1.0 + at) * 1e-12))
    assert now == later


def test_without_any_weight_an_example_comes_last() -> None:
    assert lot(0.5, 0.0) == inf


@given(chance=st.floats(2**-53, 1 - 2**-53), weight=st.floats(1e-300, 1e300))
def test_weights_of_any_size_draw_a_number(chance: float, weight: float) -> None:
    assert isfinite(lot(chance, weight))


@given(interaction_id=st.text(), revision=st.integers(0, 2**31))
def test_a_chance_is_never_at_an_end(interaction_id: str, revision: int) -> None:
    assert 0 < chance_of(Origin(interaction_id, revision), KEY) < 1
