"""The judge over HTTP: both orders, ties, keys, time-outs, and errors that say what to do."""

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from learners import over_http
from learners.pairwise.judge import Duel, Judge, JudgeSettings, JudgeUnreachable, JudgeUnusable
from tests.learners.pairwise.judge_server import judging
from tests.learners.slow_service import Manner, slow_service

DUELS = [Duel("Say hello.", "hello", "rubbish"), Duel("Say hello.", "rubbish", "hello"), Duel("Hm?", "same", "same")]


def settings(url: str, **more: Any) -> JudgeSettings:
    return JudgeSettings.model_validate({"url": url, "model": "wise", "timeout": 30, **more})


def prefers_hello(first: str, second: str) -> str:
    return {"hello": "A", "rubbish": "B"}.get(first, "C") if first != second else "C"


def test_the_better_answer_wins_in_both_orders_and_equal_ones_are_not_asked_about() -> None:
    with judging(prefers_hello) as server:
        found = Judge(settings(server.url)).compare(DUELS)
    assert found.preferences == (1.0, 0.0, 0.5)
    assert (found.disagreed, found.unreadable) == (0, 0)
    assert len(server.bodies) == 4
    assert {body["temperature"] for body in server.bodies} == {0}


def test_a_judge_that_always_takes_the_first_gives_ties() -> None:
    with judging(lambda *_: "A") as server:
        found = Judge(settings(server.url)).compare(DUELS[:2])
    assert found.preferences == (0.5, 0.5)
    assert found.disagreed == 2


@pytest.mark.parametrize("words", ["A", "a", " **A**", "Answer A is better.", "A is clearly better", "A.", "(A)"])
def test_a_letter_is_read_in_the_ways_in_which_models_write_it(words: str) -> None:
    with judging(lambda *both: words if both[0] == "hello" else "B") as server:
        assert Judge(settings(server.url)).compare(DUELS[:1]).preferences == (1.0,)


@pytest.mark.parametrize("words", ["A better one is B", "A is worse than B.", "A is no better", "A is not the best"])
def test_replies_that_cannot_be_read_are_counted_and_most_of_them_refuse_the_judge(words: str) -> None:
    some = [Duel("p", f"hello {n}" if n else "odd", "rubbish") for n in range(4)]
    with judging(lambda first, second: words if "odd" in (first, second) else "C") as server:
        found = Judge(settings(server.url)).compare(some)
        assert (found.preferences, found.unreadable) == ((None, 0.5, 0.5, 0.5), 1)
    with judging(lambda *_: "Absolutely!") as server, pytest.raises(JudgeUnusable, match="2 of 2 questions"):
        Judge(settings(server.url)).compare(DUELS[:2])


def test_the_key_comes_from_a_file_or_a_variable_and_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("s3cret\n", encoding="utf-8")
    monkeypatch.setenv("JUDGE_KEY", "0ther")
    with judging(prefers_hello) as server:
        for more in ({"key_file": tmp_path / "key"}, {"key_variable": "JUDGE_KEY"}, {}):
            Judge(settings(server.url, **more)).compare(DUELS[:1])
        assert server.keys == {"Bearer s3cret", "Bearer 0ther", None}
        server.statuses = [401] * 9
        with pytest.raises(JudgeUnusable, match=r"answers 401 .*key_file") as refused:
            Judge(settings(server.url, key_file=tmp_path / "key")).compare(DUELS)
    assert "s3cret" not in str(refused.value) + repr(settings("http://h/v1", key_file=tmp_path / "key"))


def test_a_key_that_is_nowhere_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(JudgeUnusable, match=r"key_file: .*absent cannot be read"):
        Judge(settings("http://127.0.0.1:9/v1", key_file=tmp_path / "absent"))
    with pytest.raises(JudgeUnusable, match="has no NO_SUCH_KEY"):
        Judge(settings("http://127.0.0.1:9/v1", key_variable="NO_SUCH_KEY"))
    with pytest.raises(ValidationError, match="not both"):
        settings("http://h/v1", key_variable="A", key_file=tmp_path)
    with pytest.raises(ValidationError, match="an address such as https://host/v1"):
        settings("host/v1")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "FIRST_PAUSE_S", 0.001)


@pytest.mark.parametrize("manner", ["silent", "drips its head", "drips its body"])
def test_a_judge_that_dawdles_is_unreachable_within_what_the_error_says(manner: Manner) -> None:
    began = time.monotonic()
    words = r"too slow, tried 3 times, each for at most 0\.2 s"
    with slow_service(manner) as url, pytest.raises(JudgeUnreachable, match=words):
        Judge(settings(url, timeout=0.2)).compare(DUELS[:1])
    assert 0.6 <= time.monotonic() - began < 15


def test_a_judge_that_has_too_much_to_do_is_left_in_peace_for_as_long_as_it_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("learners.over_http.sleep", pauses.append)
    with judging(prefers_hello) as server:
        server.statuses, server.retry_after = [429, 503], "7"
        assert Judge(settings(server.url, concurrent=1)).compare(DUELS[:1]).preferences == (1.0,)
        assert pauses == [7.0, 7.0]
        server.statuses = [429] * 9
        with pytest.raises(JudgeUnreachable, match="status 429, tried 3 times"):
            Judge(settings(server.url, concurrent=1)).compare(DUELS[:1])


def test_a_judge_that_is_busy_for_a_moment_is_asked_again() -> None:
    with judging(prefers_hello) as server:
        server.statuses = [503]
        assert Judge(settings(server.url, concurrent=1)).compare(DUELS[:1]).preferences == (1.0,)


def test_a_judge_that_is_away_or_too_slow_is_unreachable_within_its_time() -> None:
    with pytest.raises(JudgeUnreachable, match="no answer from the judge at"):
        Judge(settings("http://127.0.0.1:9/v1")).compare(DUELS)
    with judging(prefers_hello, delay_s=1.0) as server, pytest.raises(JudgeUnreachable, match="too slow"):
        Judge(settings(server.url, timeout=0.1)).compare(DUELS[:1])


def test_no_more_questions_are_open_than_allowed() -> None:
    with judging(prefers_hello, delay_s=0.02) as server:
        Judge(settings(server.url, concurrent=2)).compare(DUELS * 4)
    assert 1 <= server.most_at_once <= 2
