"""Which partitions this member holds, and what state each is in.

Rebalances are told on kafka-python's own thread, in the middle of `poll` or shortly after it; here they are only
noted, and the poll thread takes them up. A partition is silenced the moment it is assigned: paused, and sought to a
placeholder, so that neither a record leaks before the claim nor `poll` complains of a missing position.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from kafka import ConsumerRebalanceListener, TopicPartition

from storage.records import Stream


@dataclass(slots=True)
class Held:
    """One partition of ours. `position` is where the next batch begins, once it was sought."""

    partition: Any  # TopicPartition(topic, partition)
    stream: Stream
    state: Literal["waiting", "flowing", "stopped"] = "waiting"
    position: int = 0
    reason: str = ""


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what the group decided, in order, and silences what it gave us."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._news: deque[tuple[Literal["assigned", "revoked"], frozenset[Any]]] = deque()
        self.joined = False
        self.left_at = time.monotonic()  # since when it was not joined, if it is not

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        for partition in assigned:
            silence(self._consumer, partition)
        self._news.append(("assigned", frozenset(assigned)))
        self.joined = True

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._news.append(("revoked", frozenset(revoked)))
        self.left_at, self.joined = time.monotonic(), False

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self.on_partitions_revoked(lost)

    def take_news(self) -> Iterator[tuple[Literal["assigned", "revoked"], frozenset[Any]]]:
        while self._news:
            yield self._news.popleft()


class Partitions:
    """The poll thread's view. A partition whose stream cannot be named yet (no metadata) is kept aside as `unnamed`."""

    def __init__(self) -> None:
        self._held: dict[Any, Held] = {}
        self._lost: list[Stream] = []
        self.unnamed: set[Any] = set()

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def of(self, partition: Any) -> Held | None:
        return self._held.get(partition)

    def of_stream(self, stream: Stream) -> Held | None:
        return next((held for held in self._held.values() if held.stream == stream), None)

    def add(self, partition: Any, stream: Stream) -> None:
        self.unnamed.discard(partition)
        self._held[partition] = Held(partition, stream)

    def drop(self, partition: Any) -> None:
        """It is somebody else's now, or names another stream."""
        self.unnamed.discard(partition)
        held = self._held.pop(partition, None)
        if held:
            self._lost.append(held.stream)

    def take_lost(self) -> tuple[Stream, ...]:
        lost, self._lost = tuple(self._lost), []
        return lost

    def in_state(self, state: str) -> list[Held]:
        return [held for held in self._held.values() if held.state == state]


def silence(consumer: Any, partition: Any) -> None:
    """No record of it until it is sought; harmless on a partition that is no longer ours."""
    try:
        consumer.pause(partition)
        consumer.seek(partition, 0)
    except (KeyError, ValueError):
        return  # revoked meanwhile: the news of it is on its way


def label(partition: TopicPartition) -> str:
    return f"{partition.topic}[{partition.partition}]"
