"""Kafka's settings without a broker: what is refused, what goes through, and how reasons are told from logs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from consumers.sources import SourceMisconfigured
from consumers.sources.kafka.options import consumer_options
from consumers.sources.kafka.reasons import Reasons, explain
from consumers.sources.kafka.settings import Settings

LEAST = {"bootstrap_servers": ["localhost:9092"], "topics": ["feedback"]}


def options(**settings: Any) -> dict[str, Any]:
    return consumer_options(Settings.model_validate({**LEAST, **settings}))


def test_positions_are_the_stores_whatever_the_client_says() -> None:
    chosen = options(client={"max_poll_records": 7, "fetch_max_wait_ms": 50})
    assert (chosen["max_poll_records"], chosen["fetch_max_wait_ms"]) == (7, 50)
    assert chosen["enable_auto_commit"] is False
    assert chosen["auto_offset_reset"] == "none"
    assert chosen["isolation_level"] == "read_committed"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("max_pol_records", 1, "did you mean max_poll_records"),
        ("zzz", 1, "no such option"),
        ("auto_offset_reset", "earliest", "adaptd sets it to 'none'"),
        ("sasl_plain_password", "secret", "security.password_file"),
        ("ssl_context", "x", "cannot be set from a file"),
        ("partition_assignment_strategy", ["best"], "range, roundrobin, sticky, cooperative-sticky"),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_name(option: str, value: object, words: str) -> None:
    with pytest.raises(SourceMisconfigured, match=words) as refused:
        options(client={option: value})
    assert f"sources.kafka.client.{option}" in str(refused.value)


def test_assignors_are_given_by_name() -> None:
    (chosen,) = options(client={"partition_assignment_strategy": ["cooperative-sticky"]})[
        "partition_assignment_strategy"
    ]
    assert chosen.name == "cooperative-sticky"


def test_the_password_is_read_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    login = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "me", "password_file": str(secret)}
    with pytest.raises(SourceMisconfigured, match="password_file"):
        options(security=login)
    secret.write_text("")
    with pytest.raises(SourceMisconfigured, match="is empty"):
        options(security=login)
    secret.write_text("hush hush\n")
    assert options(security=login)["sasl_plain_password"] == "hush hush"


@pytest.mark.parametrize(
    "wrong",
    [
        {"security": {"protocol": "SASL_SSL"}},
        {"security": {"protocol": "SSL", "mechanism": "PLAIN"}},
        {"security": {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "me"}},
        {"start": "yesterday"},
        {"start": "2026-01-01T00:00:00"},
        {"topics": []},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({**LEAST, **wrong})


def test_a_telling_reason_stands_against_a_vague_one() -> None:
    reasons = Reasons("me")

    def hear(text: str, thread: str = "kafka-io-me") -> None:
        record = logging.LogRecord("kafka.net.manager", logging.WARNING, "", 0, text, (), None)
        record.threadName = thread
        reasons.emit(record)

    hear("Connection failed: KafkaConnectionError: 111 ECONNREFUSED", thread="kafka-io-other")
    assert reasons.trouble() == ""
    hear("Connection lost: KafkaConnectionError: socket disconnected")
    assert "closed the connection" in reasons.trouble()
    hear("Bootstrap connection to bootstrap-0 failed: [Error 58] SaslAuthenticationFailedError: invalid credentials")
    hear("Connection lost: KafkaConnectionError: socket disconnected")
    assert "refused the login" in reasons.trouble()
    reasons.clear()
    assert reasons.trouble() == ""


def test_lines_without_a_reason_are_none() -> None:
    assert explain("Bootstrap bootstrap-0 not ready; waiting 0.06 secs") is None
