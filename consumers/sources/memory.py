"""Events from this process's own memory: for tests, and for embedding the daemon in a program.

It keeps the protocol as strictly as Kafka does: streams are assigned, claimed and sought, may be lost and dealt anew
(`lose`, `assign`), and nothing flows before the seek. It keeps everything it was given: not for production.
Position = index of the record in its stream.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from consumers.sources.protocol import Clock, SourceHealth, SourceSettings
from storage.records import Poll, Raw, Stream, StreamBatch
from storage.records.settings import setting

_MAX_POLL_RECORDS = 2000


class Settings(SourceSettings):
    """`{type: memory}`."""

    type: Literal["memory"] = setting("memory", doc="Records put in by the same process; for tests.", live=False)
    streams: int = setting(1, doc="How many streams it has.", unit="streams", live=False, ge=1)
    start: Literal["earliest", "latest"] = setting("earliest", doc="Where a stream's first claim begins.", live=False)


def open(settings: Settings, clock: Clock) -> MemorySource:
    """An empty source."""
    return MemorySource(settings, clock)


@dataclass(slots=True)
class _Lane:
    """One stream: what it holds, and where it is."""

    stream: Stream
    records: list[Raw] = field(default_factory=list)
    state: Literal["waiting", "flowing", "stopped", "away"] = "waiting"
    position: int = 0
    reason: str = ""


class MemorySource:
    """Thread-safe: any thread may `put`, one polls."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.name = settings.name
        self._start = settings.start
        self._clock = clock
        self._changed = threading.Condition()
        keys = [Stream(f"memory:{settings.name}:{n}", f"{settings.name}[{n}]") for n in range(settings.streams)]
        self._lanes = {stream.key: _Lane(stream) for stream in keys}
        self._lost: list[Stream] = []
        self._paused = self._finished = self._closed = False

    def put(self, data: bytes, *, stream: int = 0, headers: Mapping[str, bytes] | None = None) -> int:
        """Adds a record to the n-th stream and returns its position."""
        with self._changed:
            lane = list(self._lanes.values())[stream]
            lane.records.append(Raw(data, len(lane.records), self._clock(), headers or {}))
            self._changed.notify_all()
            return len(lane.records) - 1

    def finish(self) -> None:
        """Nothing more will be put: once all is read, the source is finished."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def lose(self, stream: int) -> None:
        """As if the group had given the n-th stream to another member."""
        with self._changed:
            lane = list(self._lanes.values())[stream]
            lane.state = "away"
            self._lost.append(lane.stream)
            self._changed.notify_all()

    def assign(self, stream: int) -> None:
        """As if the group had given it back."""
        with self._changed:
            list(self._lanes.values())[stream].state = "waiting"
            self._changed.notify_all()

    def poll(self, timeout_s: float) -> Poll:
        with self._changed:
            self._changed.wait_for(self._has_something, timeout_s)
            lost, self._lost = tuple(self._lost), []
            assigned = tuple(lane.stream for lane in self._lanes.values() if lane.state == "waiting")
            return Poll(self._take(), assigned, lost, finished=self._is_finished())

    def start_of(self, stream: Stream) -> int:
        with self._changed:
            return len(self._lanes[stream.key].records) if self._start == "latest" else 0

    def seek(self, stream: Stream, position: int) -> None:
        with self._changed:
            lane = self._lanes.get(stream.key)
            if lane and lane.state != "away":
                lane.state, lane.position, lane.reason = "flowing", position, ""

    def stop_stream(self, stream: Stream, reason: str) -> None:
        with self._changed:
            lane = self._lanes.get(stream.key)
            if lane and lane.state != "away":
                lane.state, lane.reason = "stopped", reason

    def pause(self) -> None:
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        with self._changed:
            self._paused = False

    def committed(self, positions: Mapping[Stream, int]) -> None:
        """There are no lag tools for memory."""

    def lag(self) -> int | None:
        with self._changed:
            return sum(len(lane.records) - lane.position for lane in self._lanes.values() if lane.state != "away")

    def health(self) -> SourceHealth:
        with self._changed:
            stopped = [
                f"{lane.stream.label}: {lane.reason}" for lane in self._lanes.values() if lane.state == "stopped"
            ]
            if stopped:
                return SourceHealth("degraded", "; ".join(stopped))
            if self._is_finished():
                return SourceHealth("finished")
            return SourceHealth("paused" if self._paused else "polling")

    def close(self) -> None:
        with self._changed:
            self._closed = True

    def _has_something(self) -> bool:
        waiting = any(lane.state == "waiting" for lane in self._lanes.values())
        return bool(self._lost or waiting or self._is_finished() or (not self._paused and self._unread()))

    def _unread(self) -> list[_Lane]:
        return [lane for lane in self._lanes.values() if lane.state == "flowing" and lane.position < len(lane.records)]

    def _is_finished(self) -> bool:
        held = [lane for lane in self._lanes.values() if lane.state != "away"]
        return self._finished and all(lane.state == "flowing" for lane in held) and not self._unread()

    def _take(self) -> tuple[StreamBatch, ...]:
        """Up to _MAX_POLL_RECORDS of each stream."""
        if self._paused or self._closed:
            return ()
        batches = []
        for lane in self._unread():
            before, records = lane.position, tuple(lane.records[lane.position :][:_MAX_POLL_RECORDS])
            lane.position = before + len(records)
            batches.append(StreamBatch(lane.stream, before, lane.position, records))
        return tuple(batches)
