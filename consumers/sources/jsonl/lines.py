"""An open file of lines: who it is, how long it is, and its whole lines from any position.

Positions are uncompressed byte offsets. In a .gz file a seek re-reads from the start: right, and slow on big ones.
A line longer than `max_line` is handed over cut, so that it can become a dead letter, and costs no memory.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from consumers.sources.errors import SourceError

_FINGERPRINT_BYTES = 1024
_SKIP_BYTES = 64 * 1024


class Unreadable(SourceError):
    """The file cannot be read on: it ends in the middle of its compression, or is none.

    To do: put the whole file in its place; what was read before stays stored, and is not read twice.

    Shows as: the source's reason in `adaptd status`.
    """


class LineFile:
    """Keeps the file open, so that one renamed away (rotated) can still be read to its end."""

    def __init__(self, path: Path, *, max_line_bytes: int) -> None:
        self._path = path
        self._max_line_bytes = max_line_bytes
        self._raw = path.open("rb")
        self._gz = path.suffix == ".gz"
        self._lines = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if self._gz else self._raw

    def close(self) -> None:
        self._lines.close()
        self._raw.close()

    def fingerprint(self, *, growing: bool) -> str | None:
        """sha256 of the first line without its end, at most 1 KiB of it.

        None while it cannot be told: the file is empty, or (`growing`) its first line is not whole yet.
        """
        head = self._head()
        line, end, _ = head.partition(b"\n")
        if not head or (growing and not end and len(head) < _FINGERPRINT_BYTES):
            return None
        return hashlib.sha256(line.removesuffix(b"\r")).hexdigest()

    def replaced(self) -> bool:
        """Whether the path now names another file. A path that names none is not replaced yet."""
        try:
            now, mine = self._path.stat(), os.fstat(self._raw.fileno())
        except FileNotFoundError:
            return False
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)

    def size(self) -> int | None:
        """Bytes in a plain file; None for a .gz, which tells only by being read."""
        return None if self._gz else os.fstat(self._raw.fileno()).st_size

    def begins_line(self, position: int) -> bool:
        """Whether a line can begin there. False also when the file is shorter."""
        if position == 0:
            return True
        around = self._read_at(position - 1, 2)
        at_end = len(around) == 1  # where a last line without its newline ended, or a whole one
        return bool(around) and (at_end or b"\n" in (around[:1], around[1:2]))

    def last_line_start(self) -> int:
        """Where a line that is not whole yet begins: the end, if the last line is whole."""
        end = 0
        for _, after in self.lines(0, unfinished=False):
            end = after
        return end

    def lines(self, position: int, *, unfinished: bool) -> Iterator[tuple[bytes, int]]:
        """Lines from `position` without their ends, each with the position after it.

        `unfinished`: whether a last line without a newline counts. Raises Unreadable.
        """
        try:
            self._lines.seek(position)
            while True:
                line, length, whole = self._next_line()
                if not length or not (whole or unfinished):
                    return
                position += length
                yield line, position
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Unreadable(f"{self._path} cannot be decompressed past byte {position}: {error}") from error

    def _next_line(self) -> tuple[bytes, int, bool]:
        """The line, its length in the file, and whether its newline is there."""
        line = self._lines.readline(self._max_line_bytes)
        length, whole = len(line), line.endswith(b"\n")
        rest = line
        while rest and not whole:
            rest = self._lines.readline(_SKIP_BYTES)
            length, whole = length + len(rest), rest.endswith(b"\n")
        return line.removesuffix(b"\n").removesuffix(b"\r"), length, whole

    def _head(self) -> bytes:
        return self._read_at(0, _FINGERPRINT_BYTES)

    def _read_at(self, position: int, count: int) -> bytes:
        if not self._gz:
            return os.pread(self._raw.fileno(), count, position)
        try:
            self._lines.seek(position)
            return self._lines.read(count) if self._lines.tell() == position else b""
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Unreadable(f"{self._path} cannot be decompressed: {error}") from error
