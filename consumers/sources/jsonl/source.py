"""The poll side of a file of events: assigned, claimed, read in order, and finished or followed.

What happens to the file is said, never guessed over: missing, shorter than what was read, replaced by another
(rotated: the old one is read to its end first), or not decompressible.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from consumers.sources.errors import SourceUnavailable
from consumers.sources.jsonl import Settings
from consumers.sources.jsonl.lines import LineFile, Unreadable
from consumers.sources.protocol import Clock, SourceHealth
from storage.records import Poll, Raw, Stream, StreamBatch

_MAX_POLL_RECORDS = 2000
_MAX_POLL_BYTES = 2**20
_LOOK_EVERY_S = 0.1


class JsonlSource:
    """One file, one stream at a time. Never `lost`, unless another file took its place."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._file: LineFile | None = None
        self._stream: Stream | None = None
        self._first: Stream | None = None
        self._state: Literal["absent", "waiting", "flowing", "stopped", "finished"] = "absent"
        self._position = 0
        self._lost: list[Stream] = []
        self._paused = self._at_end = False
        self._reason = self._note = ""

    # -- the protocol

    def poll(self, timeout_s: float) -> Poll:
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._look()
            left_s = deadline - time.monotonic()
            if found is not None or left_s <= 0:
                return found or Poll()
            time.sleep(min(_LOOK_EVERY_S, left_s))

    def start_of(self, stream: Stream) -> int:
        if self._file is None or stream != self._stream:
            raise SourceUnavailable(f"{stream.label} is not open any more")
        if self._settings.start == "earliest" or stream != self._first:
            return 0
        try:
            return self._file.last_line_start()
        except Unreadable as error:
            raise SourceUnavailable(str(error)) from error

    def seek(self, stream: Stream, position: int) -> None:
        if self._file is None or stream != self._stream:
            return
        self._position, self._at_end = position, False
        problem = self._problem_with(position)
        self._state, self._reason = ("stopped", problem) if problem else ("flowing", self._reason)

    def stop_stream(self, stream: Stream, reason: str) -> None:
        if stream == self._stream:
            self._state, self._reason = "stopped", reason

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def committed(self, positions: Mapping[Stream, int]) -> None:
        """Nobody else looks at a file's position."""

    def lag(self) -> int | None:
        """0 at the end of the file; lines ahead are not counted before they are read."""
        return 0 if self._at_end else None

    def health(self) -> SourceHealth:
        state, reason = self._state, self._reason
        if state in ("absent", "stopped") and reason:
            return SourceHealth("degraded", reason)
        if state == "finished":
            return SourceHealth("finished", reason)
        return SourceHealth("paused" if self._paused else "polling", reason)

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file = self._stream = None

    # -- inside

    def _look(self) -> Poll | None:
        """One look at the file; None when there is nothing to tell."""
        if self._state == "finished":
            return Poll(finished=True)
        try:
            if self._file is None:
                self._open()
            batch = self._next() if self._state == "flowing" and not self._paused else None
        except (Unreadable, OSError) as error:
            self._state, self._reason = "stopped", f"{error}; replace the file and restart adaptd"
            batch = None
        return self._told((batch,) if batch else ())

    def _told(self, batches: tuple[StreamBatch, ...]) -> Poll | None:
        lost, self._lost = tuple(self._lost), []
        assigned = (self._stream,) if self._stream and self._state == "waiting" else ()
        poll = Poll(batches, assigned, lost, finished=self._state == "finished")
        return None if poll == Poll() else poll

    def _open(self) -> None:
        path = self._settings.path
        try:
            file = LineFile(path, max_line_bytes=self._settings.max_line)
        except FileNotFoundError:
            self._reason = f"there is no file {path}: create it, or correct `path` of source {self.name}"
            return
        except OSError as error:
            self._reason = f"{path} cannot be opened ({error.strerror}): check its rights"
            return
        self._reason, self._note = self._note, ""
        self._file = file
        self._identify()

    def _identify(self) -> None:
        """Gives the open file its stream, or leaves it until its first line is whole."""
        assert self._file is not None
        fingerprint = self._file.fingerprint(growing=self._settings.follow)
        if fingerprint is None:
            self._file.close()
            self._file = None
            if not self._settings.follow:
                self._state, self._at_end = "finished", True
            return
        self._stream = Stream(f"file:{fingerprint}", self._settings.path.name)
        self._first = self._first or self._stream
        self._state, self._at_end = "waiting", False

    def _problem_with(self, position: int) -> str:
        assert self._file is not None
        try:
            if self._file.begins_line(position):
                return ""
        except Unreadable as error:
            return str(error)
        return (
            f"position {position} of {self._settings.path} is gone: the file is shorter than what was read of it, or "
            "another file with the same first line; put the old file back, or give the new one another first line"
        )

    def _next(self) -> StreamBatch | None:
        """The next batch of a flowing stream; None at the end, which decides what comes then."""
        if self._settings.follow and self._begun_anew():
            return None
        batch = self._read(unfinished=not self._settings.follow)
        self._at_end = batch is None
        return batch or self._after_the_end()

    def _after_the_end(self) -> StreamBatch | None:
        assert self._file is not None
        if not self._settings.follow:
            self._state = "finished"
        elif self._file.replaced():
            batch = self._read(unfinished=True)  # nobody will finish that line any more
            if batch:
                return batch
            self._leave("was replaced (rotated): the old file was read to its end, the new one from its start")
        return None

    def _read(self, *, unfinished: bool) -> StreamBatch | None:
        """The next lines; blank ones are passed over. What is whole before a broken place is handed over first."""
        assert self._file is not None
        assert self._stream is not None
        before, now, size_bytes = self._position, self._clock(), 0
        records: list[Raw] = []
        try:
            for line, after in self._file.lines(before, unfinished=unfinished):
                if line.strip():
                    records.append(Raw(line, self._position, now))
                    size_bytes += len(line)
                self._position = after
                if len(records) >= _MAX_POLL_RECORDS or size_bytes >= _MAX_POLL_BYTES:
                    break
        except Unreadable:
            if self._position == before:
                raise
        if self._position == before:
            return None
        return StreamBatch(self._stream, before, self._position, tuple(records))

    def _begun_anew(self) -> bool:
        """Whether the same file was cut (truncated) under us; if so, what it is now has been settled."""
        assert self._file is not None
        assert self._stream is not None
        size_bytes = self._file.size() or 0
        fingerprint = self._file.fingerprint(growing=True)
        if fingerprint is None or f"file:{fingerprint}" != self._stream.key:
            self._leave("was truncated and begun anew: it is read from its start")
            return True
        if size_bytes < self._position:
            self._state, self._reason = "stopped", self._problem_with(self._position)
            return True
        return False

    def _leave(self, what: str) -> None:
        """Another content took the place: the stream is lost, and the next look opens what is there now."""
        assert self._file is not None
        assert self._stream is not None
        self._lost.append(self._stream)
        self._note = f"{self._settings.path} {what}"
        self._file.close()
        self._file = self._stream = None
        self._state, self._position, self._reason = "absent", 0, ""
