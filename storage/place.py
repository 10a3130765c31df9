"""Whether the store's file is still where it was opened.

A file that is removed, or replaced by another, takes writes for as long as somebody holds it open, and they are lost
with the last who does. So the writer looks before it believes a commit. Only the database's own file is looked at, not
its log beside it.
"""

from __future__ import annotations

import os
from pathlib import Path


class Place:
    """Of a file that is there; remembers which one it is. Raises OSError where none is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _identity(path)

    def trouble(self) -> str:
        """What is wrong and what to do; empty where the file is still the same. Takes microseconds."""
        try:
            same = _identity(self._path) == self._file
        except OSError as error:
            return (
                f"the store {self._path} is gone ({error.strerror}); put the file back, or stop adaptd, restore a "
                "backup and start it again"
            )
        if same:
            return ""
        return f"the store {self._path} is another file than the one that was opened; start adaptd again to use it"


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
