"""Waiting for what happens elsewhere, in another thread or process, with a limit that says what never came."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(ready: Callable[[], bool], timeout_s: float, what: str, detail: Callable[[], str] = lambda: "") -> None:
    """Polls until it is true; raises TimeoutError naming what never came."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s in vain for {what}\n{detail()}")
        time.sleep(0.05)
