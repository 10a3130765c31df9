"""Kafka's positions, against a real broker: starts, gaps, losses, and topics that are not what they were."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.consumers.sources.driving import Ledger, Reader
from tests.consumers.sources.feeds import open_kafka
from tests.consumers.sources.test_kafka_groups import Open, lines, member, soon
from tests.services.kafka import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

__all__ = ["member"]


def test_deleted_records_stop_their_partition_alone_and_are_counted(kafka: KafkaBroker, member: Open) -> None:
    topic, ledger = kafka.create_topic(partitions=2), Ledger()
    first = Reader(member(topic), ledger)
    for partition in (0, 1):
        kafka.produce(topic, lines(0, 10), partition=partition)
    first.read(20)
    first.source.close()
    for partition in (0, 1):
        kafka.produce(topic, lines(10, 10), partition=partition)
    kafka.delete_records(topic, 0, 15)
    again = Reader(member(topic), ledger)
    again.until(lambda: again.source.health().lost_records > 0 and len(ledger.texts) == 30)
    health = again.source.health()
    assert (health.state, health.lost_records) == ("degraded", 5)
    assert f"{topic}[0] is stopped: 5 records (10 to 14)" in health.reason
    assert "gone: earliest" in health.reason
    assert {key[-1] for key, _ in ledger.records[20:]} == {"1"}, "the other partition flows on"
    again.source.close()
    willing = Reader(member(topic, gone="earliest"), ledger)
    willing.until(lambda: len(ledger.texts) == 35)
    assert ledger.texts[30:] == lines(15, 5)
    assert willing.source.health().lost_records == 5
    assert willing.source.health().state == "polling"
    assert willing.refused == 0, "the gap moved the stored position too"


def test_a_position_past_the_end_stops_the_partition(kafka: KafkaBroker, member: Open) -> None:
    topic = kafka.create_topic()
    kafka.produce(topic, lines(0, 3))
    ahead = Ledger()
    reader = Reader(member(topic), ahead)
    reader.read(3)
    (key,) = ahead.positions
    reader.source.close()
    ahead.positions[key] = 1000
    again = Reader(member(topic, gone="earliest"), ahead)
    again.until(lambda: "past the end" in again.source.health().reason)
    assert len(ahead.texts) == 3


def test_a_recreated_topic_is_another_stream_and_nothing_of_it_is_skipped(kafka: KafkaBroker, member: Open) -> None:
    topic, ledger = kafka.create_topic(), Ledger()
    kafka.produce(topic, lines(0, 10))
    reader = Reader(member(topic, start="latest", client={"metadata_max_age_ms": 1000}), ledger)
    reader.until(lambda: bool(reader.epochs))
    kafka.produce(topic, lines(10, 10))
    assert reader.read(10) == lines(10, 10)
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    kafka.produce(topic, lines(100, 40))
    reader.until(lambda: len(ledger.positions) == 2)
    reader.read(50)
    newest = list(ledger.positions)[1]
    assert [raw.data for key, raw in ledger.records if key == newest] == lines(100, 40)
    assert "deleted and created again" in reader.source.health().reason


def test_a_partition_added_later_begins_at_earliest_even_across_a_restart(kafka: KafkaBroker, member: Open) -> None:
    topic, ledger = kafka.create_topic(), Ledger()
    kafka.produce(topic, lines(0, 5))
    first = Reader(member(topic, start="latest"), ledger)
    first.until(lambda: bool(first.epochs))
    soon(lambda: kafka.committed(f"group-{topic}", topic) == {0: 5}, "what lag tools see")
    first.source.close()
    kafka.add_partitions(topic, 2)
    kafka.produce(topic, lines(5, 5), partition=1)
    assert Reader(member(topic, start="latest"), ledger).read(5) == lines(5, 5)


def test_a_start_time_is_turned_into_a_position(kafka: KafkaBroker, member: Open) -> None:
    topic = kafka.create_topic(partitions=2)
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    for n in range(6):
        kafka.produce(topic, lines(n, 1), partition=0, timestamp_ms=int(hour_ago.timestamp() * 1000) + n * 1000)
    reader = Reader(member(topic, start=(hour_ago + timedelta(seconds=3)).isoformat()))
    assert reader.read(3) == lines(3, 3)
    kafka.produce(topic, lines(9, 1), partition=1)
    assert reader.read(4)[3:] == lines(9, 1)


def test_transactions_leave_gaps_that_are_not_losses(kafka: KafkaBroker, member: Open) -> None:
    from kafka import KafkaProducer

    topic = kafka.create_topic()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"tx-{topic}")
    producer.init_transactions()
    for n, keep in enumerate((True, False, True, False)):
        producer.begin_transaction()
        for line in lines(n * 10, 5):
            producer.send(topic, line)
        producer.flush()
        _ = producer.commit_transaction() if keep else producer.abort_transaction()
    producer.close()
    reader = Reader(member(topic))
    assert reader.read(10) == lines(0, 5) + lines(20, 5)
    assert reader.refused == 0
    reader.until(lambda: reader.source.lag() == 0)


def test_lag_counts_what_is_still_to_come_and_lag_tools_see_what_is_stored(kafka: KafkaBroker, member: Open) -> None:
    topic = kafka.create_topic()
    kafka.produce(topic, lines(0, 100))
    reader = Reader(member(topic, client={"max_poll_records": 10}))
    reader.until(lambda: len(reader.ledger.texts) >= 10)
    assert reader.source.lag() in (None, *range(91))
    reader.read(100)
    reader.until(lambda: reader.source.lag() == 0)
    soon(lambda: kafka.committed(f"group-{topic}", topic) == {0: 100}, "what lag tools see")


def test_headers_come_as_they_were_sent(kafka: KafkaBroker, member: Open) -> None:
    topic = kafka.create_topic()
    kafka.produce(topic, [b"{}"], headers=[("ce_id", b"7"), ("content-type", b"application/json")])
    reader = Reader(member(topic))
    reader.read(1)
    assert reader.ledger.records[0][1].headers == {"ce_id": b"7", "content-type": b"application/json"}


def test_a_backlog_is_read_at_the_speed_of_the_client(kafka: KafkaBroker) -> None:
    topic = kafka.create_topic(partitions=2)
    kafka.produce(topic, lines(0, 20_000))
    source = open_kafka(kafka, topic)
    try:
        began = time.monotonic()
        assert sorted(Reader(source).read(20_000)) == sorted(lines(0, 20_000))
        print(f"{20_000 / (time.monotonic() - began):.0f} records/s, join included")
    finally:
        source.close()
