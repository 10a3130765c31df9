"""What every source that polls can do, and the order in which it is asked.

Why: Kafka, files and memory differ in everything but this; the intake joins any of them to the store's claims.

One thread, the poll thread, calls everything but `health` and `lag`, which any thread may call. A turn:

1. `poll` returns a `Poll`. Take it in this order: `lost`, `assigned`, `batches`.
2. `lost` streams belong to somebody else now: forget their claims. What is already on its way to the store may still
   be committed; the claim's compare-and-swap decides. Told once.
3. `assigned` streams hand over nothing until they are sought. Claim each in the store (a first claim asks
   `start_of`), then `seek` it to the claimed position. Told at every poll until it is sought or stopped, so a
   claim that failed is simply tried again. One stream can be in `lost` and in `assigned` of the same poll: the
   group was dealt anew, and its old claim is void.
4. `batches` go to the store: `before` is where the last batch of that stream ended (or where it was sought), `after`
   where the next begins. A batch without records moves the position over a gap; store it like any other. Where the
   store refuses (`before` is not its position), drop the batch, claim again and `seek`.
5. `committed` tells the source what the store has. Nothing depends on it but lag tools and where partitions that
   are added later begin.

`pause` when the queue to the store is full, keep polling, `resume` later: a source that is not polled loses its
streams. `seek`, `stop_stream` and `committed` on a stream that is no longer held do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import model_validator

from storage.records import Poll, Stream
from storage.records.settings import Settings, setting

Clock = Callable[[], datetime]  # the present, in UTC

SourceState = Literal["polling", "degraded", "finished", "paused"]


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source is. `reason` says in words why, and what to do, whenever the state is `degraded`.

    `lost_records` counts, since the source was opened, positions that were gone before they could be read.
    """

    state: SourceState
    reason: str = ""
    lost_records: int = 0


class Source(Protocol):
    """See the module's text for the order of calls. `name` is unique in the config: a label for status and metrics."""

    name: str

    def poll(self, timeout_s: float) -> Poll:
        """Whatever there is, waiting up to `timeout_s` for something (longer where a group must be joined)."""
        ...

    def start_of(self, stream: Stream) -> int:
        """The position where a first claim begins. Raises SourceUnavailable when that cannot be told now."""
        ...

    def seek(self, stream: Stream, position: int) -> None:
        """Go on at `position`; an assigned stream flows from now on."""
        ...

    def stop_stream(self, stream: Stream, reason: str) -> None:
        """Hand over no more of it until it is sought or assigned anew; `reason` shows in `health`."""
        ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def committed(self, positions: Mapping[Stream, int]) -> None:
        """After the store's commit: where each stream goes on."""
        ...

    def lag(self) -> int | None:
        """Records not yet handed over; None where that is not known."""
        ...

    def health(self) -> SourceHealth: ...

    def close(self) -> None:
        """Gives its streams back. Closing twice is harmless."""
        ...


class SourceSettings(Settings):
    """What every source can be told."""

    type: str = setting(doc="Which kind of source: the name of its file in consumers/sources.", live=False)
    name: str = setting(
        "",  # filled in below
        doc="Its name in status and metrics, unique among the sources; without one, its type.",
        live=False,
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$",
    )
    default_task: str | None = setting(None, doc="The task of events that name none; without it they are dead letters.")
    trusted_apps: tuple[str, ...] = setting((), doc="Apps that may retract what others sent.")

    @model_validator(mode="before")
    @classmethod
    def _name_by_type(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("name"):
            return {**data, "name": data.get("type", cls.model_fields["type"].default)}
        return data
