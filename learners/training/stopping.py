"""How a training worker is asked to end: SIGTERM sets a flag, and methods look at it between two steps. No torch."""

from __future__ import annotations

import signal
import threading

_asked = threading.Event()


class Interrupted(Exception):
    """The work was left off because the end was asked for: no fault of anybody's, and no result."""


def listen() -> None:
    """From now on SIGTERM asks, instead of ending the process. Call in the main thread."""
    _asked.clear()
    signal.signal(signal.SIGTERM, lambda _number, _frame: _asked.set())


def is_asked() -> bool:
    return _asked.is_set()
