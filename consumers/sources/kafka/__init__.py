"""Events from Apache Kafka topics: one stream a partition, keyed by cluster, topic id and partition.

The store keeps the positions; Kafka's own committed offsets are written afterwards, for lag tools only. A topic that
is deleted and created again has another topic id, so it is another stream and begins at its own start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.sources.kafka.settings import KafkaSecurity, Settings
from consumers.sources.protocol import Clock

if TYPE_CHECKING:
    from consumers.sources.kafka.source import KafkaSource

__all__ = ["KafkaSecurity", "Settings", "open"]


def open(settings: Settings, clock: Clock) -> KafkaSource:
    """Connects in the background; an absent broker shows in the source's health. Raises SourceMisconfigured."""
    from consumers.sources.kafka.source import KafkaSource  # kafka-python is loaded where it is used

    return KafkaSource(settings, clock)
