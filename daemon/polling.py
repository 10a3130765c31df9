"""The poll thread of one source: poll, claim what was assigned, hand on what came; nothing slow in between.

A source is driven from this thread alone, because a Kafka consumer that is not polled in time loses its partitions.
When intake falls behind, the source is paused and still polled. What intake learns later (a commit, a lost claim)
comes back as a note and is acted on between two polls.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from consumers.sources.protocol import Source, SourceHealth
from daemon.faults import fault_of
from daemon.intake import Parcel
from storage.records import AdaptdError, Claim, Poll, Stream

log = structlog.get_logger(__name__)

POLL_TIMEOUT_S = 0.5  # an idle source is left this often, to act on notes and to stop
BUSY_POLL_TIMEOUT_S = 0.2  # while intake is behind: come back soon to see whether it has caught up
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Committed:
    """Intake made these positions durable."""

    positions: dict[Stream, int]


@dataclass(frozen=True)
class Stale:
    """Intake was refused under these claims: the stream has moved without us, so look again at where it stands."""

    claims: tuple[Claim, ...]


class PollLoop(threading.Thread):
    """Runs until `stop`; hands parcels to `hand_over`, which answers False while intake is full."""

    def __init__(
        self,
        source: Source,
        *,
        take: Callable[[Stream, int], Claim],
        look_up: Callable[[Stream], Claim | None],
        parcel_of: Callable[[Poll, dict[Stream, Claim]], Parcel | None],
        hand_over: Callable[[Parcel], bool],
    ) -> None:
        super().__init__(name=f"poll-{source.name}", daemon=True)
        self.source = source
        self._take, self._look_up, self._parcel_of, self._hand_over = take, look_up, parcel_of, hand_over
        self._claims: dict[Stream, Claim] = {}
        self._waiting: deque[Parcel] = deque()
        self._notes: deque[Committed | Stale] = deque()
        self._holding, self._stopping = threading.Event(), threading.Event()
        self._paused = False
        self._trouble = ""
        self.finished = threading.Event()

    def hold(self) -> None:
        """Poll no more; the source stays open, so that what intake still commits can be told to it."""
        self._holding.set()

    def stop(self) -> None:
        """Ask the loop to end; `join` waits for it. What was polled and not yet committed is read again next time."""
        self._holding.set()
        self._stopping.set()

    def note(self, note: Committed | Stale) -> None:
        """Tell the loop what became of a parcel; safe from any thread."""
        self._notes.append(note)

    def health(self) -> SourceHealth:
        """The source's own health, unless the loop itself is in trouble."""
        health = self.source.health()
        return replace(health, state="degraded", reason=self._trouble) if self._trouble else health

    def run(self) -> None:
        while not self._holding.is_set():
            try:
                self._run_once()
                self._trouble = ""
            except Exception as error:  # a source must never take the daemon with it (I7)
                self._fail(error)
                self._holding.wait(RETRY_AFTER_S)
        self._stopping.wait()
        for last in (self._read_notes, self.source.close):
            self._finish(last)

    def _finish(self, last: Callable[[], None]) -> None:
        try:
            last()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Said in health while it lasts, and logged once until it changes."""
        reason = str(error) if isinstance(error, AdaptdError) else f"polling failed: {fault_of(error)}"
        if reason != self._trouble:
            self._trouble = reason
            log.warning("poll failed; trying again", source=self.source.name, reason=reason)

    def _run_once(self) -> None:
        self._read_notes()
        self._drain()
        poll = self.source.poll(BUSY_POLL_TIMEOUT_S if self._waiting else POLL_TIMEOUT_S)
        for stream in poll.lost:
            self._claims.pop(stream, None)
        for stream in poll.assigned:
            self._claim(stream)
        parcel = self._parcel_of(poll, self._claims)
        if parcel is not None:
            self._waiting.append(parcel)
        self._drain()
        if poll.finished and not self._waiting:
            self.finished.set()
            self._holding.wait(RETRY_AFTER_S)

    def _claim(self, stream: Stream) -> None:
        known = self._look_up(stream)
        claim = self._take(stream, known.position if known else self.source.start_of(stream))
        self._claims[stream] = claim
        self.source.seek(stream, claim.position)

    def _drain(self) -> None:
        """Hand on what waits; pause the source while anything still does."""
        while self._waiting and self._hand_over(self._waiting[0]):
            self._waiting.popleft()
        if bool(self._waiting) != self._paused:
            self._paused = bool(self._waiting)
            (self.source.pause if self._paused else self.source.resume)()

    def _read_notes(self) -> None:
        """A note that could not be acted on (the store is away) stays, and is tried again."""
        while self._notes:
            note = self._notes[0]
            if isinstance(note, Committed):
                self.source.committed({s: at for s, at in note.positions.items() if s in self._claims})
            else:
                for claim in note.claims:
                    self._look_again(claim)
            self._notes.popleft()

    def _look_again(self, refused: Claim) -> None:
        """Ours still: claim anew, so that what is in flight under the old claim is void. Another's: let go."""
        stream = refused.stream
        mine = self._claims.get(stream)
        if mine is None or mine.epoch != refused.epoch:
            return  # an older parcel of a claim that has been replaced since
        stands = self._look_up(stream)
        if stands is not None and stands.epoch == mine.epoch:
            self._claim(stream)
        else:
            self._claims.pop(stream)
            self.source.stop_stream(stream, "another daemon has claimed it")
