"""A prompt is one piece of evidence, however often it was asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from learners.gate import Answer, GateRow, GateSettings, clearly_worse, judge
from learners.gate.prompts import by_prompt, one_row_each

from .evidence_rows import labelled, scored

SETTINGS = GateSettings()


def gains(count: int, mean: float, seed: int = 0) -> list[float]:
    return [mean + one for one in np.random.default_rng(seed).normal(0, 0.1, count)]


def by_score(count: int, mean: float) -> list[GateRow]:
    return scored([0.5 + one for one in gains(count, mean)], [0.5] * count)


def by_likelihood(count: int, mean: float) -> list[GateRow]:
    return labelled([-math.log(0.5 + one) for one in gains(count, mean)], [-math.log(0.5)] * count)


def by_preference(count: int, mean: float) -> list[GateRow]:
    shares = [min(1.0, max(0.0, 0.5 + one)) for one in gains(count, mean)]
    return [
        replace(row, preferred={"win_rate": share}) for row, share in zip(by_score(count, mean), shares, strict=True)
    ]


def asked_again(rows: Sequence[GateRow], times: int) -> list[GateRow]:
    """By other users each time, so that no cap on users brings them down."""
    return [
        replace(row, id=f"{row.id} {time}", user=f"user {at} {time}", prompt=f"prompt {at}")
        for time in range(times)
        for at, row in enumerate(rows)
    ]


@pytest.mark.parametrize("made", [by_score, by_likelihood, by_preference])
def test_the_same_prompts_asked_five_times_prove_no_more_than_once(made: Callable[[int, float], list[GateRow]]) -> None:
    rows = made(24, 0.03)
    settings = replace_primary(made)
    once, often = (judge(asked_again(rows, times), (), settings, seed=1, max_share_per_user=0.2) for times in (1, 5))
    assert (once.verdict, often.verdict) == ("hold", "hold")
    assert often.prompts == 24
    assert often.difference == pytest.approx(once.difference)
    assert often.interval == pytest.approx(once.interval)
    for number in ("effective_prompts", "standard_error", "bootstrap_tail", "alpha_of_look", "detectable_gain"):
        assert often.report[number] == pytest.approx(once.report[number])


def replace_primary(made: Callable[[int, float], list[GateRow]]) -> GateSettings:
    return GateSettings(primary="win_rate") if made is by_preference else SETTINGS


def test_equal_candidates_are_not_promoted_for_popular_prompts() -> None:
    """Sixty entries of twelve prompts: read as sixty, one equal candidate in nine was promoted at the first look."""
    few = GateSettings(min_prompts=12)
    random = np.random.default_rng(2)
    promoted = 0
    for _ in range(60):
        differences = random.normal(0, 0.14, 12).clip(-0.9, 0.9)
        rows = scored(list(0.5 + differences / 2), list(0.5 - differences / 2))
        promoted += judge(asked_again(rows, 5), (), few, seed=1).verdict == "promote"
    assert promoted <= 1


def test_twelve_prompts_are_twelve_of_the_twenty_that_are_wanted() -> None:
    found = judge(asked_again(by_score(12, 0.3), 12), (), SETTINGS, seed=1, entries=12)
    assert (found.verdict, found.spent_look, found.next_prompts) == ("hold", False, 20)
    assert found.reason == "12 of 20 different prompts with a validator's score (asked 144 times)"


def test_repeats_make_a_prompt_weigh_more_and_the_effective_number_says_so() -> None:
    rows = asked_again(by_score(24, 0.0), 1)
    popular = [replace(rows[0], id=f"again {at}", user=f"other {at}") for at in range(23)]
    plain, loud, loudest = (judge([*rows, *popular[:more]], (), SETTINGS, seed=1) for more in (0, 5, 23))
    assert (plain.prompts, loud.prompts, loudest.prompts) == (24, 24, 24)
    assert plain.report["effective_prompts"] == 24
    assert loud.report["effective_prompts"] == pytest.approx(29**2 / (6**2 + 23), abs=0.1)
    assert loudest.reason.startswith("24 prompts weigh as much as 3.7 ")
    assert not loudest.spent_look


def test_what_humans_wrote_to_one_prompt_is_read_as_its_mean_under_the_caps() -> None:
    rows = [
        replace(row, prompt="one" if at < 4 else f"other {at}", user="loud" if at < 3 else f"u{at}")
        for at, row in enumerate(labelled([1.0, 1.0, 1.0, 3.0, *[2.0] * 20], [2.0] * 24))
    ]
    found = judge(rows, (), GateSettings(min_prompts=12), seed=1, max_share_per_user=1 / 22)
    assert (found.prompts, found.report["effective_prompts"]) == (21, pytest.approx(22**2 / (2**2 + 20), abs=0.1))
    mean = (math.exp(-1) + math.exp(-3)) / 2 - math.exp(-2)  # the loud user's three rows weigh as one
    assert found.difference == pytest.approx(2 * mean / 22)


@pytest.mark.parametrize("made", [by_score, by_likelihood])
def test_the_same_answer_to_the_same_prompt_is_no_collapse(made: Callable[[int, float], list[GateRow]]) -> None:
    rows = asked_again(made(30, 0.0), 1)
    popular = [replace(rows[0], id=f"again {at}", user=f"other {at}") for at in range(5)]
    plain, loud = (judge(each, (), GateSettings(min_prompts=10), seed=1) for each in (rows, [*rows, *popular]))
    assert [guard["value"] for guard in loud.report["guards"]] == [guard["value"] for guard in plain.report["guards"]]


def test_a_screen_of_one_prompt_proves_nothing() -> None:
    worse = by_score(30, -0.2)
    assert clearly_worse(worse, SETTINGS, 1.0, 0.005)
    assert not clearly_worse([replace(row, prompt="the same") for row in worse], SETTINGS, 1.0, 0.005)


def test_rows_without_a_key_are_prompts_of_their_own() -> None:
    rows = [replace(row, prompt=key) for row, key in zip(by_score(4, 0.0), ("a", None, "a", None), strict=True)]
    assert by_prompt(rows) == [[0, 2], [1], [3]]


def test_of_rows_with_one_prompt_the_newest_that_a_human_wrote_to_speaks_with_the_mean_of_all() -> None:
    said = [Answer("x", score=1.0, measures={"bleu": 0.2}), Answer("x", score=0.0), Answer("x", measures={"bleu": 0.8})]
    rows = [
        GateRow(str(at), weight, answer, Answer("y"), target, prompt="a")
        for at, (answer, weight, target) in enumerate(zip(said, (1.0, 3.0, 1.0), (None, "new", "old"), strict=True))
    ]
    (one,) = one_row_each(rows)
    assert (one.id, one.target, one.weight) == ("1", "new", 5.0)
    assert (one.candidate.score, one.champion.score) == (0.25, None)
    assert one.candidate.measures == {"bleu": pytest.approx(0.5)}
