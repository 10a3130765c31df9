"""Kafka's group, against a real broker: who holds what, through rebalances, crashes and absences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.sources import Source
from tests.consumers.sources.driving import PATIENCE_S, Ledger, Reader, Running
from tests.consumers.sources.feeds import open_kafka
from tests.services.kafka import KafkaBroker
from tests.services.kafka_node import SCRAM_PASSWORD, SCRAM_USER
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

Open = Callable[..., Source]


@pytest.fixture
def member(kafka: KafkaBroker) -> Iterator[Open]:
    """Opens sources on the broker, and closes them whatever happens."""
    opened: list[Source] = []

    def open_member(topic: str, **settings: Any) -> Source:
        opened.append(open_kafka(kafka, topic, **settings))
        return opened[-1]

    yield open_member
    kafka.start()
    for source in opened:
        source.close()


def lines(first: int, count: int) -> list[bytes]:
    return [b'{"n": %d}' % n for n in range(first, first + count)]


def soon(done: Callable[[], bool], what: str, detail: Callable[[], str] = str) -> None:
    wait_until(done, PATIENCE_S, what, detail)


@pytest.mark.parametrize("assignor", ["range", "cooperative-sticky"])
def test_two_members_share_the_partitions_and_every_record_is_stored_once(
    kafka: KafkaBroker, member: Open, assignor: str
) -> None:
    topic, ledger = kafka.create_topic(partitions=4), Ledger()
    sent = lines(0, 200)
    client = {"partition_assignment_strategy": [assignor], "heartbeat_interval_ms": 300}
    with Running(Reader(member(topic, client=client), ledger)) as first:
        kafka.produce(topic, sent[:100])
        soon(lambda: len(ledger.texts) == 100, "the first hundred")
        with Running(Reader(member(topic, client=client), ledger)) as second:
            soon(lambda: len(first.epochs) == 2 and len(second.epochs) == 2, "two partitions each")
            kafka.produce(topic, sent[100:])
            soon(lambda: len(ledger.texts) >= 200, "the second hundred")
        second.source.close()
        soon(lambda: len(first.epochs) == 4, "all partitions back")
        kafka.produce(topic, lines(200, 20))
        soon(lambda: len(ledger.texts) >= 220, "the last twenty")
    assert sorted(ledger.texts) == sorted(sent + lines(200, 20))
    kept = 2 if assignor == "cooperative-sticky" else 0
    assert sum(epoch == 1 for epoch in ledger.epochs.values()) == kept, "what was dealt anew was claimed anew"


def test_a_paused_member_keeps_its_partitions(kafka: KafkaBroker, member: Open) -> None:
    topic, ledger = kafka.create_topic(partitions=2), Ledger()
    options = {"max_poll_interval_ms": 2000, "session_timeout_ms": 2000, "heartbeat_interval_ms": 500}
    reader = Reader(member(topic, client=options), ledger)
    reader.until(lambda: len(reader.epochs) == 2)
    reader.source.pause()
    kafka.produce(topic, lines(0, 10))
    polls = [reader.turn(0.5) for _ in range(6)]
    assert not any(poll.lost or poll.assigned or poll.batches for poll in polls)
    reader.source.resume()
    assert sorted(reader.read(10)) == sorted(lines(0, 10))
    assert set(ledger.epochs.values()) == {1}


def test_a_join_that_outlasts_a_poll_is_finished_by_the_next_one(
    kafka: KafkaBroker, member: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader whose poll ends between its assignment and the group's answer."""
    monkeypatch.setattr("consumers.sources.kafka.source._JOIN_SLICE_S", 0.002)
    topic = kafka.create_topic(partitions=2)
    reader = Reader(member(topic, client={"metadata_max_age_ms": 300}))
    reader.until(lambda: len(reader.epochs) == 2)
    kafka.add_partitions(topic, 5)
    reader.until(lambda: len(reader.epochs) == 5, turn_s=0.002)
    kafka.produce(topic, lines(0, 5), partition=4)
    assert reader.read(5) == lines(0, 5)
    assert reader.source.health().state == "polling"


def test_a_killed_broker_degrades_the_source_and_its_return_mends_it(kafka: KafkaBroker, member: Open) -> None:
    topic, ledger = kafka.create_topic(), Ledger()
    kafka.produce(topic, lines(0, 10))
    with Running(Reader(member(topic), ledger)) as reader:
        soon(lambda: len(ledger.texts) == 10, "the first ten")
        kafka.kill()
        soon(lambda: reader.source.health().state == "degraded", "the source to notice")
        assert "connection" in reader.source.health().reason
        late = member(topic, group_id=f"late-{topic}")
        soon(lambda: "connection refused" in late.health().reason, "a source opened meanwhile to say why")
        assert late.health().state == "degraded"
        assert late.poll(0.1).batches == ()
        kafka.start()
        kafka.produce(topic, lines(10, 10))
        soon(lambda: len(ledger.texts) >= 20, "the next ten")
        soon(lambda: reader.source.health().state == "polling", "good health", lambda: str(reader.source.health()))
    assert ledger.texts == lines(0, 20)
    assert Reader(late).read(20) == lines(0, 20)


def secured(kafka: KafkaBroker, tmp_path: Path, password: str, **security: Any) -> dict[str, Any]:
    secret = tmp_path / "password"
    secret.write_text(password + "\n")
    fields = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": SCRAM_USER, "ca_file": kafka.ca_file}
    return {"bootstrap_servers": kafka.secured_servers, "security": {**fields, "password_file": secret, **security}}


def test_an_encrypted_login_reads(kafka: KafkaBroker, member: Open, tmp_path: Path) -> None:
    topic = kafka.create_topic()
    kafka.produce(topic, lines(0, 3))
    assert Reader(member(topic, **secured(kafka, tmp_path, SCRAM_PASSWORD))).read(3) == lines(0, 3)


@pytest.mark.parametrize(
    ("password", "security", "words"),
    [
        ("wrong", {}, "refused the login"),
        (SCRAM_PASSWORD, {"ca_file": None}, "certificate was not accepted"),
        (SCRAM_PASSWORD, {"mechanism": "PLAIN"}, "does not take this security.mechanism"),
        (SCRAM_PASSWORD, {"protocol": "PLAINTEXT", "mechanism": None}, "does not speak Kafka in the clear"),
    ],
)
def test_a_wrong_login_says_why(
    kafka: KafkaBroker, member: Open, tmp_path: Path, password: str, security: dict[str, Any], words: str
) -> None:
    source = member(kafka.create_topic(), **secured(kafka, tmp_path, password, **security))
    wait_until(lambda: words in source.health().reason, 90, words, lambda: str(source.health()))
    assert source.health().state == "degraded"
    assert password not in source.health().reason


def test_a_topic_that_is_not_there_is_named_and_read_once_it_is(kafka: KafkaBroker, member: Open) -> None:
    topic = "late-topic"
    reader = Reader(member(topic, client={"metadata_max_age_ms": 1000}))
    reader.until(lambda: f"there is no topic {topic}" in reader.source.health().reason)
    kafka.create_topic(topic)
    kafka.produce(topic, lines(0, 2))
    assert reader.read(2) == lines(0, 2)
    assert reader.source.health().state == "polling"
