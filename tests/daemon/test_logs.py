"""Logs are for machines or for people, and hold no words of an exception, which may quote a user (I8)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.daemon.daemons import REPOSITORY, environment

SPEAK = """
import logging, sys, structlog
from daemon.logs import configure_logs
configure_logs(*sys.argv[1:])
log = structlog.get_logger("t")
log.debug("quiet"); log.info("hello", part="x"); log.warning("careful")
secret = "my cat is called Tom"
try:
    try:
        raise ValueError(secret)
    except ValueError as error:
        raise KeyError(secret) from error
except KeyError:
    log.exception("broke")
    logging.getLogger("library").exception("broke too")
    logging.getLogger("library").info("chatter")
"""


def said(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SPEAK, *arguments], cwd=REPOSITORY, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_exception_is_its_kinds_and_places_without_its_words(log_format: str) -> None:
    text = said(log_format, "info")
    assert "Tom" not in text
    for word in ("broke", "broke too", "KeyError", "ValueError", "line 10"):
        assert word in text


def test_json_is_one_object_a_line() -> None:
    lines = [json.loads(line) for line in said("json", "debug").splitlines()]
    events = [line["event"] for line in lines]
    assert events == ["quiet", "hello", "careful", "broke", "broke too", "chatter"]
    assert lines[1]["part"] == "x"
    assert {"level", "timestamp"} <= lines[0].keys()


def test_the_level_is_the_least_that_is_said() -> None:
    events = [json.loads(line)["event"] for line in said("json", "warning").splitlines()]
    assert events == ["careful", "broke", "broke too"]
