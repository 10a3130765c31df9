"""The rules of `length`, `regex` and `exact`: what counts, what does not, and what their settings refuse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from learners.validators import Validated, open_validator
from learners.validators.exact import UnusableAnswersError
from learners.validators.regex import UnusablePatternError


def said(name: str, settings: dict[str, Any], answer: str, prompt: str = "") -> Validated:
    return open_validator(name, settings).validate(prompt, answer)


@pytest.mark.parametrize(
    ("count", "answer", "score", "failed"),
    [
        ("words", "one two", 0.5, "long_enough"),
        ("words", "one two three four", 1.0, None),
        ("words", "w " * 20, 0.4, "short_enough"),
        ("characters", "abc", 0.75, "long_enough"),
        ("lines", "a\nb\nc\nd\ne", 1.0, None),
    ],
)
def test_a_length_outside_the_limits_scores_what_share_of_it_is_right(
    count: str, answer: str, score: float, failed: str | None
) -> None:
    found = said("length", {"count": count, "min": 4, "max": 8}, answer)
    assert found.score == pytest.approx(score)
    assert [name for name, holds in found.checks.items() if not holds] == ([failed] if failed else [])


@pytest.mark.parametrize("settings", [{}, {"min": 5, "max": 4}, {"max": 0}, {"count": "tokens", "max": 3}])
def test_lengths_that_nothing_or_everything_meets_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        open_validator("length", settings)


def test_each_pattern_is_a_check_of_its_own() -> None:
    settings = {"pattern": "[a-z ]+", "require": {"greets": "hello"}, "forbid": {"begs": "please"}}
    found = said("regex", settings, "hello please")
    assert found.checks == {"matches": True, "has:greets": True, "free_of:begs": False}
    assert found.score == pytest.approx(2 / 3)
    assert said("regex", settings, " hello there\n").passed


def test_the_pattern_must_fit_the_whole_answer() -> None:
    assert said("regex", {"pattern": r"\d+"}, "12").passed
    assert not said("regex", {"pattern": r"\d+"}, "about 12").passed


def test_a_pattern_that_would_run_away_elsewhere_answers_at_once() -> None:
    """(a+)+$ takes Python's `re` longer than anybody lives."""
    began = time.process_time()
    assert not said("regex", {"require": {"x": "(a+)+$"}}, "a" * 100_000 + "b").passed
    assert time.process_time() - began < 5


@pytest.mark.parametrize("pattern", ["(", "(?=look ahead)", r"(a)\1", "[z-a]", "a{2000}", "\ud800"])
def test_a_pattern_that_is_none_is_refused_with_its_place(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnusablePatternError, match=r"regex: forbid\.bad: .+; write it in RE2's syntax"):
        open_validator("regex", {"forbid": {"bad": pattern}})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("answer", "equal"),
    [
        ("Paris", True),
        ("  paris.\n", True),
        ('"Paris"!', True),
        ("ＰＡＲＩＳ", True),
        ("Paris, France", False),
        ("-5", True),
        ("5", False),
        ("3.50", False),
        ("(3.5)", True),
        ("35", False),
        ("", False),
    ],
)
def test_answers_are_compared_after_normalising(answer: str, equal: bool) -> None:
    found = said("exact", {"accept": ["Paris", "-5", "3.5"]}, answer)
    assert (found.passed, found.score) == (equal, float(equal))


def test_case_and_punctuation_count_where_they_are_to() -> None:
    assert not said("exact", {"accept": ["Paris"], "case": True}, "paris").passed
    assert not said("exact", {"accept": ["Paris"], "punctuation": True}, "paris.").passed
    assert said("exact", {"accept": ["?!"], "punctuation": True}, " ?! ").passed


def test_right_answers_are_found_by_their_prompt(tmp_path: Path) -> None:
    lines = '{"prompt": "Capital of France?", "answers": ["Paris"]}\n\n{"prompt": "2 + 2", "answers": ["4", "four"]}\n'
    (tmp_path / "answers.jsonl").write_text(lines)
    settings = {"answers_file": str(tmp_path / "answers.jsonl")}
    assert said("exact", settings, "Four", "2 + 2").passed
    assert said("exact", settings, "Paris", "2 + 2").checks == {"known": True, "equal": False}
    assert said("exact", settings, "Paris", "capital of  France").passed
    assert said("exact", settings, "Paris", "who?").checks == {"known": False, "equal": False}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no answer"),
        ('{"prompt": "a", "answers": []}', "line 1: cannot be read"),
        ('{"prompt": "a", "answers": ["b"]}\nsecret', "line 2: cannot be read"),
        ('{"prompt": "a", "answers": ["..."]}', "has no word"),
    ],
)
def test_a_file_of_answers_that_is_none_is_refused_without_quoting_it(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "answers.jsonl").write_text(text)
    with pytest.raises(UnusableAnswersError, match=words) as raised:
        open_validator("exact", {"answers_file": str(tmp_path / "answers.jsonl")})
    assert "secret" not in str(raised.value)


def test_exactly_one_kind_of_right_answers_is_wanted() -> None:
    for settings in ({}, {"accept": ["a"], "answers_file": "b.jsonl"}):
        with pytest.raises(ValidationError, match="one of accept and answers_file"):
            open_validator("exact", settings)
    with pytest.raises(UnusableAnswersError, match="cannot be read"):
        open_validator("exact", {"answers_file": "/nowhere/at/all.jsonl"})
