"""The least intake that drives a source rightly: claims, seeks, stores by compare-and-swap, re-claims."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from consumers.sources import Source, SourceUnavailable
from storage.records import Poll, Raw, Stream, StreamBatch

PATIENCE_S = 30.0
JOINS_WITHIN_S = 0.5  # a poll that ends before the group has answered joins anew at the next one


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Ledger:
    """What the store keeps: positions, epochs, and every record that was accepted. Shared by all members of a group."""

    positions: dict[str, int] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    records: list[tuple[str, Raw]] = field(default_factory=list)
    guard: threading.RLock = field(default_factory=threading.RLock)

    def claim(self, stream: Stream, start: Callable[[], int]) -> tuple[int, int]:
        with self.guard:
            if stream.key not in self.positions:
                self.positions[stream.key] = start()
            self.epochs[stream.key] = self.epochs.get(stream.key, 0) + 1
            return self.positions[stream.key], self.epochs[stream.key]

    def store(self, batch: StreamBatch, epoch: int | None) -> bool:
        """The compare-and-swap and the insert, as one."""
        key = batch.stream.key
        with self.guard:
            if self.epochs.get(key) != epoch or self.positions[key] != batch.before:
                return False
            self.positions[key] = batch.after
            self.records += [(key, raw) for raw in batch.records]
            return True

    @property
    def texts(self) -> list[bytes]:
        with self.guard:
            return [raw.data for _, raw in self.records]


class Reader:
    """One poll thread's work, turn by turn."""

    def __init__(self, source: Source, ledger: Ledger | None = None) -> None:
        self.source = source
        self.ledger = ledger or Ledger()
        self.epochs: dict[str, int] = {}
        self.refused = 0

    def turn(self, timeout_s: float = JOINS_WITHIN_S) -> Poll:
        poll = self.source.poll(timeout_s)
        for stream in poll.lost:
            self.epochs.pop(stream.key, None)
        for stream in poll.assigned:
            self._claim(stream)
        for batch in poll.batches:
            if self.ledger.store(batch, self.epochs.get(batch.stream.key)):
                self.source.committed({batch.stream: batch.after})
            else:
                self.refused += 1
                self._claim(batch.stream)
        return poll

    def read(self, count: int) -> list[bytes]:
        """Turns until the ledger holds `count` records; a few turns more would show one too many."""
        self.until(lambda: len(self.ledger.records) >= count)
        for _ in range(2):
            self.turn(0.05)
        return self.ledger.texts

    def until(self, done: Callable[[], bool], turn_s: float = JOINS_WITHIN_S) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.ledger.records)} records, {self.source.health()}")
            self.turn(turn_s)

    def _claim(self, stream: Stream) -> None:
        try:
            position, self.epochs[stream.key] = self.ledger.claim(stream, lambda: self.source.start_of(stream))
        except SourceUnavailable:
            return  # offered again at the next poll
        self.source.seek(stream, position)


class Running:
    """A reader on a thread of its own, as in the daemon: `with Running(reader): ...`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="test-poll", daemon=True)
        self.error: BaseException | None = None

    def __enter__(self) -> Reader:
        self._thread.start()
        return self.reader

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        if self.error:
            raise self.error

    def _loop(self) -> None:
        try:
            while not self._stop.is_set():
                self.reader.turn(0.2)
        except BaseException as error:
            self.error = error
