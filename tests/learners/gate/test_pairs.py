"""Pair accuracy: beside the length baseline, and never what decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from learners.gate import Answer, EvidenceError, GateRow, GateSettings, Likelihood, judge
from learners.gate.pairs import read_pairs

BEFORE = Answer("said", chosen=Likelihood(10.0, 10), rejected=Likelihood(9.0, 10))


def answer(chosen: float, rejected: float) -> Answer:
    return replace(BEFORE, chosen=Likelihood(chosen, 10), rejected=Likelihood(rejected, 10))


def row(number: int, candidate: Answer, champion: Answer = BEFORE, *, chosen: str = "the longer one") -> GateRow:
    return GateRow(str(number), 1.0, candidate, champion, user=str(number % 7), chosen=chosen, rejected="the shorter")


def test_each_accuracy_is_the_share_of_pairs_told_right() -> None:
    rows = [row(0, answer(5, 9)), row(1, answer(9.5, 9)), row(2, answer(12, 9), chosen="x"), row(3, answer(9, 9))]
    assert read_pairs(rows) == {
        "pairs": 4,
        "users": 4,
        "too_long": 0,
        "candidate": 0.375,  # one right, one tie
        "champion": 0.0,
        "moved": 0.75,  # the second is still told wrong, but less so than before
        "length": 0.75,
    }


def test_likelihood_is_compared_per_token_so_that_short_texts_do_not_win_by_being_short() -> None:
    short = Answer("said", chosen=Likelihood(20.0, 20), rejected=Likelihood(10.0, 5))
    found = read_pairs([row(0, short, short)])
    assert found is not None
    assert (found["candidate"], found["moved"]) == (1.0, 0.5)


def test_pairs_that_were_too_long_are_counted_and_rows_without_a_pair_are_none() -> None:
    assert read_pairs([GateRow("a", 1.0, BEFORE, BEFORE)]) is None
    found = read_pairs([row(0, answer(5, 9)), row(1, replace(BEFORE, rejected=None))])
    assert found is not None
    assert (found["pairs"], found["too_long"]) == (1, 1)


def test_where_people_only_compared_the_likelihood_of_what_they_chose_decides_and_is_named() -> None:
    rows = [row(i, answer(5 + i % 3 / 10, 4)) for i in range(60)]
    found = judge(rows, (), GateSettings(), seed=1)
    assert (found.verdict, found.primary) == ("promote", "nll_chosen")
    assert "likelihood of chosen answers" in found.reason
    assert "nll 1.00 -> 0.51 per token" in found.reason
    assert found.report["pair_accuracy"]["candidate"] == 0.0  # and yet it is promoted


def test_telling_pairs_apart_perfectly_does_not_promote() -> None:
    """Both likelihoods fell, the rejected one further: what DPO does when it collapses."""
    rows = [row(i, answer(14 + i % 3 / 10, 30)) for i in range(60)]
    found = judge(rows, (), GateSettings(), seed=1)
    assert found.report["pair_accuracy"]["candidate"] == 1.0
    assert found.verdict == "reject"


def test_beside_human_targets_chosen_answers_count_too_and_the_verdict_says_how_many() -> None:
    written = [
        GateRow(f"w{i}", 1.0, Answer("s", nll_per_token=0.5 + i % 3 / 100), Answer("s", nll_per_token=1.0), target="t")
        for i in range(40)
    ]
    found = judge([*written, *(row(i, answer(5, 4)) for i in range(20))], (), GateSettings(), seed=1)
    assert found.primary == "nll"
    assert "40 human targets and 20 chosen answers" in found.reason


def test_with_too_few_chosen_answers_the_verdict_is_hold_and_says_so() -> None:
    found = judge([row(i, answer(5, 4)) for i in range(9)], (), GateSettings(), seed=1)
    assert found.verdict == "hold"
    assert "9 of 20 different prompts with a chosen answer" in found.reason


@pytest.mark.parametrize(
    ("which", "broken"),
    [
        ("chosen", replace(BEFORE, chosen=Likelihood(float("nan"), 3))),
        ("rejected", replace(BEFORE, rejected=Likelihood(-1.0, 3))),
    ],
)
def test_a_likelihood_that_is_no_number_is_refused(which: str, broken: Answer) -> None:
    with pytest.raises(EvidenceError, match=f"NLL of the {which} text"):
        judge([row(0, broken)], (), GateSettings(), seed=1)
