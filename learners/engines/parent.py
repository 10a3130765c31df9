"""A child process that must not outlive its parent: watches the parent, and ends the process when it is gone.

Why polling: the kernel's parent-death signal follows the *thread* that started the child, and supervisors start
children from threads that end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

ORPHANED_EXIT_CODE = 3


def watch_parent(parent_pid: int, on_gone: Callable[[], None] | None = None, interval_s: float = 0.25) -> None:
    """Starts a daemon thread that calls `on_gone` (default: leave at once, code 3) within about `interval_s` seconds
    after the process `parent_pid` ended. It need not be the direct parent."""
    leave = on_gone or (lambda: os._exit(ORPHANED_EXIT_CODE))
    direct = os.getppid() == parent_pid

    def wait() -> None:
        while os.getppid() == parent_pid if direct else _exists(parent_pid):
            time.sleep(interval_s)
        leave()

    threading.Thread(target=wait, name="watch-parent", daemon=True).start()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
