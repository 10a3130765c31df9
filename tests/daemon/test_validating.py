"""Validators that are services are asked apart from the scheduler: nobody waits, and each task has its turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from daemon.config import ValidatorChoice
from daemon.validating import THREADS, Look, Validating
from learners.validators import ValidatorUnavailable
from tests.learners.slow_service import slow_service
from tests.learners.validators.score_service import ScoreService

PATIENCE_S = 30.0


def service(url: str, **settings: Any) -> ValidatorChoice:
    return ValidatorChoice(name="http", settings={"url": url, "attempts": 1, "timeout": 20, **settings})


def threads() -> int:
    return sum(thread.name == "validator service" for thread in threading.enumerate())


def until(true: Callable[[], object]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.005)


def taken(services: Validating, task: str) -> Look:
    began = time.monotonic()
    while (look := services.take(task)) is None:
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.005)
    return look


@pytest.fixture(autouse=True)
def _alone() -> None:
    """Threads of other tests' services have ended, or are not counted."""
    until(lambda: threads() == 0)


def test_what_was_scored_is_taken_once() -> None:
    services = Validating()
    with ScoreService() as scorer:
        services.begin("erd", service(scorer.url), [("why?", "fine"), ("why?", "bad")])
        look = taken(services, "erd")
        services.stop()
    assert [look.validate("why?", answer).score for answer in ("fine", "bad")] == [1.0, 0.5]
    assert look.errors == []
    assert services.take("erd") is None


def test_an_error_leaves_what_was_scored_before_it() -> None:
    services = Validating()
    with ScoreService([{"score": 1.0}, 404]) as scorer:
        services.begin("erd", service(scorer.url), [("", "a"), ("", "b"), ("", "c")])
        look = taken(services, "erd")
        services.stop()
        assert len(scorer.asked) == 2
    assert look.scores.keys() == {("", "a")}
    assert isinstance(look.errors[0], ValidatorUnavailable)


def test_a_look_gives_back_what_it_has_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.validating.LONGEST_LOOK_S", -1.0)
    services = Validating()
    with ScoreService() as scorer:
        services.begin("erd", service(scorer.url), [("", "a"), ("", "b")])
        assert taken(services, "erd").scores.keys() == {("", "a")}
        services.stop()


def test_services_that_hang_hold_up_few_threads_and_nobody_who_asks() -> None:
    services, began = Validating(), time.monotonic()
    with slow_service("silent") as url:
        for at in range(2 * THREADS):
            for _ in range(2):  # the second is on its way already
                services.begin(f"t{at}", service(url, timeout=0.3), [("", "a")])
            assert services.take(f"t{at}") is None
        assert threads() == THREADS
        for at in range(2 * THREADS):
            assert "too slow" in str(taken(services, f"t{at}").errors[0])
        services.stop()
    assert time.monotonic() - began < PATIENCE_S


def test_after_a_stop_nothing_is_asked_and_the_threads_end() -> None:
    services = Validating()
    with slow_service("drips its body") as url:
        for at in range(THREADS + 1):
            services.begin(f"t{at}", service(url, timeout=0.3), [("", "a")] * 100)
        services.stop()
        until(lambda: threads() == 0)
        services.begin("late", service(url), [("", "a")])
        assert threads() == 0
