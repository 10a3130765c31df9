"""Where events come from: streams, positions in them, and what a source hands over at once.

A stream is an ordered part of a source whose place can be remembered: a Kafka partition (position = offset of the
next record) or a file (position = uncompressed byte offset of the next line). HTTP has no stream: its batches carry
`stream=None` and an `event_id` is its only guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """`key` is the durable identity (cluster, topic id and partition; or file fingerprint), `label` is for people."""

    key: str
    label: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as it came: bytes, headers and its own position. Never logged."""

    data: bytes
    position: int
    received_at: datetime
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """Records of one stream between `before` (position of the first unread) and `after` (where to go on)."""

    stream: Stream
    before: int
    after: int
    records: tuple[Raw, ...]


@dataclass(frozen=True, slots=True)
class Poll:
    """What a source handed over at once. `assigned` streams wait, paused, until they are claimed and sought."""

    batches: tuple[StreamBatch, ...] = ()
    assigned: tuple[Stream, ...] = ()
    lost: tuple[Stream, ...] = ()
    finished: bool = False  # the source has nothing more and never will (a file that is not followed)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to move one stream: only the holder of the current `epoch` may advance `position`."""

    stream: Stream
    position: int
    epoch: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A pointer to an event that could not be read, with its reason; never the raw bytes.

    `excerpt` is redacted: the shape of the message, no user text. `stage` is decode, clean, or store.
    """

    reason: str
    stage: str
    received_at: datetime
    sha256: str
    size_bytes: int
    stream: str | None = None  # Stream.key; None for HTTP
    position: int | None = None
    source: str | None = None
    task: str | None = None
    excerpt: str = ""
