"""Kafka's own committed offsets: a courtesy to lag tools, behind the store, never asked where to go on.

One request at a time, always with the newest positions: many at once are dropped by the client when too many are in
flight, and then the last one may be missing.
"""

from __future__ import annotations

import contextlib
from typing import Any

from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata


class Commits:
    """Used on the poll thread alone."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._waiting: dict[Any, OffsetAndMetadata] = {}
        self._sent: dict[Any, OffsetAndMetadata] = {}
        self._answer: Any = None

    def add(self, partition: Any, position: int, mark: str) -> None:
        """`mark` is kept beside the position, for `Topics`."""
        self._waiting[partition] = OffsetAndMetadata(position, mark, -1)

    def forget(self, partition: Any) -> None:
        """It is not ours any more."""
        self._waiting.pop(partition, None)
        self._sent.pop(partition, None)

    def send(self) -> None:
        """Sends what waits, unless an answer is outstanding. What failed is sent again, or what is newer."""
        if self._answer is not None:
            if not self._answer.is_done:
                return
            if self._answer.failed():
                self._waiting = {**self._sent, **self._waiting}
            self._answer = None
        if self._waiting:
            self._sent, self._waiting = self._waiting, {}
            self._answer = self._consumer.commit_async(self._sent)

    def finish(self, timeout_ms: int) -> None:
        """The last word before closing, as far as the broker takes it in that time."""
        newest = {**self._sent, **self._waiting}
        if newest:
            with contextlib.suppress(KafkaError):
                self._consumer.commit(newest, timeout_ms=timeout_ms)
