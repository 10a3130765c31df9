"""The validator `http` against a real service: what it sends, what it takes, and what it does when that is away."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from learners import over_http
from learners.validators import Validated, Validator, ValidatorUnavailable, open_validator
from tests.learners.slow_service import Manner, slow_service
from tests.learners.validators.score_service import ScoreService

NO_ADDRESSES = ["localhost:9000", "ftp://host/", "http://", "//host", "http://999.1.1.1/"]


def opened(url: str, **settings: Any) -> Validator:
    return open_validator("http", {"url": url, "attempts": 2, "timeout": 20, **settings})


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "FIRST_PAUSE_S", 0.001)


def test_it_posts_prompt_and_answer_and_takes_the_reply() -> None:
    reply = {
        "score": 0.8,
        "passed": False,
        "checks": {"tone": True, "facts": False},
        "parts": {"tone": 1, "facts": 0.6},
    }
    with ScoreService([reply]) as service:
        found = opened(service.url).validate("why?", "because \ud800")
    assert service.asked == [{"prompt": "why?", "answer": "because \ud800"}]
    assert found == Validated(0.8, False, {"tone": True, "facts": False}, {"tone": 1.0, "facts": 0.6})


@pytest.mark.parametrize(("score", "passed"), [(1, True), (0.5, False)])
def test_a_bare_score_is_enough(score: float, passed: bool) -> None:
    with ScoreService([{"score": score, "model": "its own business"}]) as service:
        found = opened(service.url).validate("", "x")
    assert found == Validated(score, passed, {"passed": passed}, {"passed": float(passed)})


@pytest.mark.parametrize("trouble", [500, 503, 429])
def test_a_service_in_trouble_is_asked_again(trouble: int) -> None:
    with ScoreService([trouble]) as service:
        assert opened(service.url).validate("", "fine").passed
        assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("reply", "words", "asked"),
    [
        (503, "status 503", 2),
        (404, "status 404", 1),
        (b"no JSON", "something else than a score", 1),
        ({"score": 1.5}, "something else than a score", 1),
        ({"score": True}, "something else than a score", 1),
        (b'{"score": NaN}', "something else than a score", 1),
        ({"score": 1.0, "checks": {"a": "yes"}}, "something else than a score", 1),
        ({"score": 1.0, "checks": {"a": True}, "parts": {"b": 1.0}}, "`parts` that are not one share", 1),
        ({"score": 1.0, "checks": {"a": True}, "parts": {"a": 7.0}}, "`parts` that are not one share", 1),
        ({"score": 1.0, "checks": {"\x1b[31m": True}}, "checks: .* control characters", 1),
        ({"score": 1.0, "checks": {"tone\n": True}}, "checks: .* control characters", 1),
        ({"score": 1.0, "checks": {"": True}}, "checks: .* empty", 1),
        ({"score": 1.0, "checks": {"long" * 26: True}}, "checks: .* 104 characters, more than 100", 1),
        ({"score": 1.0, "checks": {f"c{n}": True for n in range(257)}}, "something else than a score .checks: ", 1),
        (b" " * 1_100_000, "more than 1000000 bytes", 1),
    ],
)
def test_a_reply_that_is_no_score_is_one_clear_error_and_never_a_score(reply: Any, words: str, asked: int) -> None:
    with ScoreService([reply] * 2) as service:
        with pytest.raises(ValidatorUnavailable, match=words) as raised:
            opened(service.url).validate("my secret", "my answer")
        assert len(service.asked) == asked
    assert service.url in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_service_that_is_away_is_said_after_the_attempts() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        with pytest.raises(ValidatorUnavailable, match=r"does not answer \(ConnectError, 2 attempts\)"):
            opened(url).validate("", "x")


def test_a_service_that_takes_too_long_is_not_waited_for() -> None:
    began = time.monotonic()
    with ScoreService([30.0, 30.0]) as service, pytest.raises(ValidatorUnavailable, match="too slow, 2 attempts"):
        opened(service.url, timeout="100ms").validate("", "x")
    assert time.monotonic() - began < 25


@pytest.mark.parametrize("manner", ["silent", "drips its head", "drips its body"])
def test_attempts_and_timeout_bound_the_whole_however_a_service_dawdles(manner: Manner) -> None:
    began = time.monotonic()
    with slow_service(manner) as url, pytest.raises(ValidatorUnavailable, match="too slow, 2 attempts"):
        opened(url, timeout="200ms").validate("", "x")
    assert 0.4 <= time.monotonic() - began < 15


def test_a_token_goes_along_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n")
    with ScoreService([404]) as service:
        asking = opened(service.url, token_file=str(tmp_path / "token"))
        with pytest.raises(ValidatorUnavailable) as raised:
            asking.validate("", "x")
    assert service.headers["authorization"] == "Bearer hush"
    assert "hush" not in str(raised.value)
    with pytest.raises(ValidatorUnavailable, match=r"token_file .* cannot be read"):
        opened(service.url, token_file=str(tmp_path / "none"))


@pytest.mark.parametrize("url", [*NO_ADDRESSES, "http://host:99999/", "http://host:0/", "http://me:hush@host/"])
def test_an_address_that_cannot_be_posted_to_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as raised:
        opened(url)
    assert any(words in str(raised.value) for words in ("address such as", "ports are 1", "no name or password"))


def test_what_is_posted_is_json_whatever_it_holds() -> None:
    text = 'quote " and NUL \x00 and é'
    with ScoreService() as service:
        opened(service.url).validate(text, text)
        assert json.loads(json.dumps(service.asked[0])) == {"prompt": text, "answer": text}
