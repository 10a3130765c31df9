"""What Kafka says of positions: where a partition begins and ends, where its reading starts, how much is left to read.

Used on the poll thread alone; each question waits a bounded time for its answer. Where a partition that was read before
goes on is not asked here: the store knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka.errors import KafkaError

from consumers.sources.kafka.settings import Start
from consumers.sources.kafka.topics import Topics

_ASK_TIMEOUT_MS = 5_000


class Offsets:
    """Of the partitions of one consumer. All but `lag` raise KafkaError when Kafka cannot tell."""

    def __init__(self, consumer: Any, topics: Topics) -> None:
        self._consumer = consumer
        self._topics = topics

    def first(self, partition: Any) -> int:
        """Of the oldest record that is left."""
        return int(self._consumer.beginning_offsets([partition], timeout_ms=_ASK_TIMEOUT_MS)[partition])

    def end(self, partition: Any) -> int:
        """Of the record that will come next."""
        return int(self._consumer.end_offsets([partition], timeout_ms=_ASK_TIMEOUT_MS)[partition])

    def start(self, partition: Any, start: Start) -> int:
        """Where a partition that was never read begins; one that was added later always begins at its first record."""
        if start == "earliest" or self._topics.added_later(partition):
            return self.first(partition)
        if start == "latest":
            return self.end(partition)
        at = self._consumer.offsets_for_times({partition: start.timestamp() * 1000}, timeout_ms=_ASK_TIMEOUT_MS)
        return int(at[partition].offset) if at.get(partition) else self.end(partition)

    def lag(self, partitions: Iterable[Any]) -> int | None:
        """Records left to read in all of them that can be counted; None while none can."""
        total, known = 0, False
        for partition in partitions:
            try:
                end = self._consumer.highwater(partition)
                read = self._consumer.position(partition, timeout_ms=_ASK_TIMEOUT_MS)
            except (KafkaError, AssertionError, KeyError):
                continue
            if end is not None and read is not None:
                total, known = total + max(0, end - read), True
        return total if known else None
