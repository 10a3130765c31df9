import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.signals import SCORER, signal_of
from consumers.similarity import SimilaritySettings, similarity
from storage.records import (
    Body,
    Correction,
    Demonstration,
    Interaction,
    Preference,
    Rating,
    Retraction,
    Signal,
    Thumb,
    Validation,
)
from tests.consumers.wires import event

SETTINGS = SimilaritySettings()
finite = st.floats(min_value=-1e12, max_value=1e12)


def value_of(body: Body, response: str | None = None) -> float:
    signal = signal_of(body, response, SETTINGS)
    assert signal is not None
    assert signal.scorer == SCORER
    return signal.value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (Rating(1, 1, 5), 0.0),
        (Rating(4, 1, 5), 0.75),
        (Rating(5, 1, 5), 1.0),
        (Rating(29, 0, 100), 0.29),
        (Thumb(True), 1.0),
        (Thumb(False), 0.0),
        (Validation(0.85), 0.85),
        (Demonstration("x"), 1.0),
        (Preference("a", "b"), 1.0),
        (Preference("a", "b", tie=True), 0.5),
    ],
)
def test_feedback_becomes_a_number(body: Body, value: float) -> None:
    assert value_of(body) == pytest.approx(value)


def test_a_preference_is_1_for_the_chosen_text_and_0_for_the_rejected() -> None:
    assert value_of(Preference("a", "b"), "a") == 1.0
    assert value_of(Preference("a", "b"), "b") == 0.0
    assert value_of(Preference("a", "b", tie=True), "b") == 0.5


@pytest.mark.parametrize("body", [Interaction(), Retraction("e0"), Correction("x")])
def test_what_judges_nothing_yet_has_no_signal(body: Body) -> None:
    assert signal_of(body, None, SETTINGS) is None


@pytest.mark.parametrize("body", [Interaction(), Retraction("e0")])
def test_an_interaction_or_retraction_never_has_one(body: Body) -> None:
    assert signal_of(body, "Hello.", SETTINGS) is None


def test_a_correction_s_signal_is_about_the_response_and_keeps_its_parts() -> None:
    signal = signal_of(Correction("Hello, you."), "Hello.", SETTINGS)
    found = similarity("Hello.", "Hello, you.", SETTINGS)
    assert signal == Signal(found.value, SCORER, found.edit, found.bleu, False)


@given(finite, finite, st.floats(min_value=0, max_value=1))
def test_a_rating_s_signal_stays_in_0_to_1(one: float, other: float, share: float) -> None:
    low, high = sorted((one, other))
    if low < high:
        rating = min(high, max(low, low + share * (high - low)))
        assert 0 <= value_of(Rating(rating, low, high)) <= 1


def test_an_event_gets_the_signal_that_it_can_have_alone() -> None:
    assert event("thumb").signal == Signal(1.0, SCORER)
    assert event("correction", response=...).signal is None
    assert event("correction").signal == signal_of(event("correction").body, event("correction").response, SETTINGS)
    assert event("interaction").signal is None
