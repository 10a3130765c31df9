"""Fills a topic before anything is measured, in bounded memory however long the backlog is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from kafka import KafkaProducer

from bench.intake.feed import Record

AT_ONCE = 5000
ACKNOWLEDGED_S = 60.0


def load(servers: list[str], topic: str, records: Iterable[Record], advance: Callable[[int], None]) -> None:
    """Send every record; returns when the broker has them all. Raises KafkaError when it does not take one."""
    producer = KafkaProducer(
        bootstrap_servers=servers, acks="all", enable_idempotence=False, linger_ms=20, batch_size=2**18
    )
    try:
        rest = iter(records)
        while some := list(islice(rest, AT_ONCE)):
            sent = [producer.send(topic, value, key=key) for key, value in some]
            for future in sent:
                future.get(ACKNOWLEDGED_S)
            advance(len(some))
    finally:
        producer.close()
