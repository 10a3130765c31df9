"""Whether a process is still there."""

from __future__ import annotations

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """False for a process that has ended, also while nobody has collected it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
