"""How much a user's feedback counts, by what others say of the same answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.trust import EVERYONE, FLOOR, PRIOR, Trust, trust_of
from storage.records import Vote


def votes(user: str | None, signals: list[float], *, validator: bool = False, first: int = 0) -> list[Vote]:
    return [Vote(f"answer {number}", user, validator, said) for number, said in enumerate(signals, first)]


def test_a_user_of_whom_nothing_is_known_starts_at_the_prior_and_so_does_a_nameless_one() -> None:
    trust = trust_of(votes("alone", [1.0] * 9))
    assert trust.of(["alone"]) == trust.of([None]) == trust.of([]) == PRIOR
    assert trust.words() == "nobody's feedback could be compared with others'; all count 0.8"


def test_trust_is_the_smoothed_agreement_with_a_validator() -> None:
    """5 imagined answers of agreement 0.9, and 10 of 1 or 0; twice the mean less one."""
    truth = votes(None, [1.0] * 10, validator=True)
    honest, contrary = (trust_of([*truth, *votes("u", [said] * 10)]).of(["u"]) for said in (1.0, 0.0))
    assert honest == pytest.approx(2 * (4.5 + 10) / 15 - 1)
    assert contrary == FLOOR


def test_one_quarrel_costs_little_and_many_cost_nearly_all() -> None:
    def after(quarrels: int) -> float:
        return trust_of([*votes(None, [1.0] * 40, validator=True), *votes("u", [0.0] * quarrels)]).of(["u"])

    assert after(0) == PRIOR
    assert after(1) == pytest.approx(0.5)
    assert after(1) > after(3) > after(6) - 1e-9
    assert after(40) == FLOOR


def test_a_hostile_user_among_honest_ones_is_found_and_told_in_numbers_only() -> None:
    honest = [vote for user in "abcd" for vote in votes(user, [1.0, 0.0] * 10)]
    trust = trust_of([*honest, *votes("mallory", [0.0, 1.0] * 10)])
    assert trust.of(["mallory"]) == FLOOR
    assert trust.of(["a"]) == trust.of(["d"]) > 0.5
    assert trust.words() == "1 of 5 users below 0.5"
    assert "mallory" not in repr(trust)


def test_one_contrary_user_does_not_drag_two_honest_ones_down() -> None:
    trust = trust_of([*votes("a", [1.0] * 6), *votes("b", [1.0] * 6), *votes("eve", [0.0] * 6)])
    assert trust.of(["eve"]) < 0.3
    assert trust.of(["a"]) > 0.5


def test_who_says_a_thing_ten_times_is_one_voice() -> None:
    loud = [*votes("loud", [0.0]) * 10, *votes("a", [1.0]), *votes("b", [1.0])]
    once = [*votes("loud", [0.0]), *votes("a", [1.0]), *votes("b", [1.0])]
    assert trust_of(loud).by_user == trust_of(once).by_user


def test_votes_on_different_answers_say_nothing_of_each_other() -> None:
    assert trust_of([*votes("a", [1.0] * 5), *votes("b", [0.0] * 5, first=5)]).by_user == {}


def test_who_judges_by_another_criterion_contradicts_nobody() -> None:
    def by(criterion: str | None, user: str, signal: float) -> list[Vote]:
        return [replace(vote, criterion=criterion) for vote in votes(user, [signal] * 9)]

    assert trust_of([*by("style", "a", 1.0), *by("facts", "b", 0.0)]).by_user == {}
    both = trust_of([*by("style", "a", 1.0), *by("facts", "b", 0.0), *by("style", "b", 1.0)])
    assert both.of(["a"]) == both.of(["b"]) > PRIOR


def test_several_users_have_their_mean_and_without_trust_everybody_counts_in_full() -> None:
    assert Trust({"a": 0.2, "b": 1.0}).of(["a", "b"]) == pytest.approx(0.6)
    assert EVERYONE.of(["a", None]) == EVERYONE.of([]) == 1.0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans(), st.floats(0, 1)), max_size=40))
def test_trust_is_within_its_bounds_whatever_is_said(said: list[tuple[int, int, bool, float]]) -> None:
    trust = trust_of(Vote(str(answer), f"u{user}", machine, signal) for answer, user, machine, signal in said)
    assert all(FLOOR <= each <= 1 for each in trust.by_user.values())
