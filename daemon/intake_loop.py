"""The intake thread: takes parcels from a bounded queue, makes them durable, tells their poll loop.

One thread, because the store has one writer anyway, and order within a stream must hold. While intake is behind, what
waits from one source is recorded as one parcel. When the store cannot write, the parcel is tried again until it can or
the daemon stops: nothing was claimed, so nothing is lost.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

from daemon.faults import fault_of
from daemon.intake import Intake, Outcome, Parcel
from daemon.parcels import together
from daemon.polling import Committed, PollLoop, Stale
from storage.errors import StorageError

log = structlog.get_logger(__name__)

QUEUED_PARCELS = 8
TOGETHER_RECORDS, TOGETHER_BYTES = 4000, 3 * 2**20  # from here on no more is added: about a quarter of a second
RETRY_AFTER_S = 1.0


class IntakeLoop(threading.Thread):
    """Runs until `stop`; `offer` is what poll loops hand over to."""

    def __init__(self, intake: Intake, *, observe: Callable[[Parcel, Outcome], None]) -> None:
        super().__init__(name="intake", daemon=True)
        self._intake, self._observe = intake, observe
        self._queue: queue.Queue[tuple[PollLoop, Parcel]] = queue.Queue(QUEUED_PARCELS)
        self._next: tuple[PollLoop, Parcel] | None = None  # taken from the queue, and not recorded with those before
        self._stopping = threading.Event()
        self.trouble = ""

    def offer(self, loop: PollLoop, parcel: Parcel) -> bool:
        """False when the queue is full: the poll loop keeps the parcel and pauses its source."""
        try:
            self._queue.put_nowait((loop, parcel))
        except queue.Full:
            return False
        return True

    def stop(self) -> None:
        """Finish the transaction at hand, then end."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                loop, parcel = self._next or self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            self._record(loop, self._with_what_waits(loop, parcel))

    def _with_what_waits(self, loop: PollLoop, parcel: Parcel) -> Parcel:
        """The parcel, and those after it that are from the same source and go on from it."""
        self._next = None
        while self._next is None and parcel.records < TOGETHER_RECORDS and parcel.size_bytes < TOGETHER_BYTES:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            more = together(parcel, waiting[1]) if waiting[0] is loop else None
            if more is None:
                self._next = waiting
            else:
                parcel = more
        return parcel

    def _record(self, loop: PollLoop, parcel: Parcel) -> None:
        while not self._stopping.is_set():
            try:
                outcome = self._intake.ingest(parcel)
            except Exception as error:  # this thread ends with the daemon, and not before
                self.trouble = str(error) if isinstance(error, StorageError) else f"intake failed: {fault_of(error)}"
                log.error("not stored; trying again", source=parcel.source, reason=self.trouble)
                self._stopping.wait(RETRY_AFTER_S)
                continue
            self.trouble = ""
            self._tell(loop, parcel, outcome)
            self._observe(parcel, outcome)
            return

    def _tell(self, loop: PollLoop, parcel: Parcel, outcome: Outcome) -> None:
        if outcome.stale:
            log.warning("claim lost; looking again", source=parcel.source, streams=len(outcome.stale))
            loop.note(Stale(tuple(claim for batch, claim in parcel.batches if batch.stream in outcome.stale)))
        positions = {b.stream: b.after for b, _ in parcel.batches if b.stream not in outcome.stale}
        if positions:
            loop.note(Committed(positions))
