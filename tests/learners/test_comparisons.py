"""What people who compared the same two texts say together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.rewards import agreement, agreement_of_voices
from learners.comparisons import net
from storage.records import Pair

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A, B = Pair("a", "b", False, NOW, None), Pair("b", "a", False, NOW, None)
TIE = replace(A, tie=True)


def voices(*pairs: Pair) -> list[Pair]:
    """Each by a user of its own, an hour apart."""
    return [replace(pair, user_id=f"u{at}", effective_at=NOW + timedelta(hours=at)) for at, pair in enumerate(pairs)]


@pytest.mark.parametrize(
    ("pairs", "chosen", "agreed"),
    [
        ([A], "a", 1.0),
        ([A, A, A], "a", 1.0),
        ([A, A, B, A], "a", 0.5),
        ([B, A, B], "b", 1 / 3),
        ([A, TIE], "a", 0.5),
        ([A] * 10 + [B] * 9, "a", 0.1),
        ([replace(A, chosen=" a", rejected="b\n"), B, A], "a", 1 / 3),
    ],
)
def test_the_majority_is_learned_by_how_far_it_outnumbers_the_others(
    pairs: list[Pair], chosen: str, agreed: float
) -> None:
    (found,) = net(voices(*pairs))
    assert found.chosen.strip() == chosen
    assert found.agreement == pytest.approx(agreed)


@pytest.mark.parametrize("pairs", [[A, B], [A, B, B, A], [A, B, TIE]])
def test_an_even_split_says_nothing(pairs: list[Pair]) -> None:
    (found,) = net(voices(*pairs))
    assert found.split


def test_ties_alone_are_no_comparison() -> None:
    assert net(voices(TIE, TIE)) == ()


def test_it_is_as_old_as_the_latest_of_the_majority_and_by_all_of_it() -> None:
    (found,) = net(voices(A, B, A, B, A, B, A))
    assert (found.effective_at, found.users) == (NOW + timedelta(hours=6), ("u0", "u2", "u4", "u6"))
    (found,) = net(voices(A, A, B))
    assert (found.effective_at, found.users) == (NOW + timedelta(hours=1), ("u0", "u1"))


def test_who_changes_their_mind_has_one_voice_and_strangers_have_one_each_time() -> None:
    changed = [replace(pair, user_id="u1") for pair in (A, A, B)]
    assert [(one.chosen, one.agreement) for one in net(changed)] == [("b", 1.0)]
    (strangers,) = net([A, A, B])
    assert strangers.chosen == "a"
    assert strangers.agreement == pytest.approx(1 / 3)


def test_other_texts_are_compared_apart() -> None:
    other = replace(A, rejected="c")
    assert [(one.chosen, one.rejected) for one in net(voices(A, other, B, A))] == [("a", "b"), ("a", "c")]


def test_of_votes_without_ties_agreement_is_that_on_thumbs() -> None:
    for first, second in ((1, 0), (3, 1), (7, 2)):
        share = first / (first + second)
        assert agreement_of_voices(first, second) == pytest.approx(agreement(share * (1 - share)))
    assert agreement_of_voices(2, 2, ties=1) == 0
