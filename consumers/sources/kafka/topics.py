"""Topics by identity rather than name: ids, streams, and which partitions were there from the beginning.

"A partition added later begins at earliest" must hold across restarts and members, so the number of partitions that a
group first met is written into the metadata of Kafka's committed offsets, and never raised: a partition beyond it was
added later, and so was every partition of a topic whose id is not the one written there.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition

from consumers.sources.kafka.partitions import label
from storage.records import Stream

_MARK = re.compile(r"adaptd topic=(\S+) partitions=(\d+)")
_ASK_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class _Met:
    """A topic as the group first met it: `partitions` were there then."""

    topic_id: str
    partitions: int


class Topics:
    """What the cluster's metadata says of the topics. `cluster` is the client's live view of it."""

    def __init__(self, consumer: Any, cluster: Any) -> None:
        self._consumer = consumer
        self._cluster = cluster
        self._met: dict[str, _Met] = {}
        self._asked_at = 0.0

    def stream(self, partition: Any) -> Stream | None:
        """The stream of a partition; None before the metadata names it. Raises KafkaError when Kafka cannot tell."""
        key = self._key(partition)
        if key is None:
            return None
        if partition.topic not in self._met:
            self._met[partition.topic] = self._meet(partition.topic)
        return Stream(key, label(partition))

    def is_other(self, partition: Any, stream: Stream) -> bool:
        """Whether the partition's topic is no longer the one of that stream."""
        key = self._key(partition)
        return key is not None and key != stream.key

    def added_later(self, partition: Any) -> bool:
        met = self._met.get(partition.topic)
        return met is not None and partition.partition >= met.partitions

    def mark(self, topic: str) -> str:
        """What to write beside a committed offset."""
        met = self._met.get(topic)
        return f"adaptd topic={met.topic_id} partitions={met.partitions}" if met else ""

    def recreated(self, topic: str) -> None:
        """Another topic under the old name: all of it came later. (Kafka itself forgets its committed offsets.)"""
        self._met[topic] = _Met(str(self._cluster.topic_id(topic)), 0)

    def missing(self, topic: str) -> bool:
        """Whether the cluster has no such topic; asks again now and then."""
        if self._cluster.partitions_for_topic(topic):
            return False
        if time.monotonic() - self._asked_at > 2.0:
            self._asked_at = time.monotonic()
            self._cluster.request_update()
        return True

    def refresh(self, timeout_s: float) -> None:
        """Fresh metadata, or as fresh as it can be had in that time."""
        asked = self._cluster.request_update()
        deadline = time.monotonic() + timeout_s
        while not asked.is_done and time.monotonic() < deadline:
            time.sleep(0.01)

    def connected(self, client: Any) -> bool:
        return any(client.connected(broker.node_id) for broker in self._cluster.brokers())

    def _key(self, partition: Any) -> str | None:
        topic_id = self._cluster.topic_id(partition.topic)
        if topic_id is None or self._cluster.cluster_id is None:
            return None
        return f"kafka:{self._cluster.cluster_id}:{topic_id}:{partition.partition}"

    def _meet(self, topic: str) -> _Met:
        """From the group's committed offsets if they know the topic, else as it is now."""
        topic_id = str(self._cluster.topic_id(topic))
        numbers = sorted(self._cluster.partitions_for_topic(topic) or ())
        for number in numbers:
            known = self._committed_mark(TopicPartition(topic, number))
            if known is not None:
                return known if known.topic_id == topic_id else _Met(topic_id, 0)
        return _Met(topic_id, len(numbers))

    def _committed_mark(self, partition: Any) -> _Met | None:
        committed = self._consumer.committed(partition, metadata=True, timeout_ms=_ASK_TIMEOUT_MS)
        if committed is None:
            return None
        found = _MARK.match(committed.metadata or "")
        return _Met(found[1], int(found[2])) if found else None
