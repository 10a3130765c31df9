"""How much lies on disk, by kind, and how much room is left. Measured at most twice a minute: a walk costs time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.jobs import JOBS

MEASURED_FOR_S = 30.0
LOGS = ("engine", "gateway")


@dataclass(frozen=True)
class DiskUse:
    """Bytes used by kind, and bytes free under the folder of each kind that grows."""

    used: Mapping[str, int] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)


class Disk:
    """Not thread-safe: the page's lock is around it."""

    def __init__(self) -> None:
        self._measured = DiskUse()
        self._until_s = -1.0

    def measure(self, database: Path, artifacts: Path) -> DiskUse:
        """The last measurement, or a new one when it is old. A file that goes while it is looked at counts nothing."""
        now_s = time.monotonic()
        if now_s >= self._until_s:
            self._measured = _measure(database, artifacts)
            self._until_s = now_s + MEASURED_FOR_S
        return self._measured


def _measure(database: Path, artifacts: Path) -> DiskUse:
    logs = sum(_size_of(artifacts / name) for name in LOGS)
    jobs = _size_of(artifacts / JOBS)
    used = {
        "events": sum(_file_size(Path(f"{database}{suffix}")) for suffix in ("", "-wal", "-shm")),
        "artifacts": _size_of(artifacts) - jobs - logs,
        "jobs": jobs,
        "logs": logs,
    }
    places = {"events": database.parent, "artifacts": artifacts}
    return DiskUse(used, {kind: free for kind, place in places.items() if (free := _free(place)) is not None})


def _size_of(folder: Path) -> int:
    return sum(_file_size(Path(at) / name) for at, _, names in os.walk(folder) for name in names)


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _free(place: Path) -> int | None:
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None
