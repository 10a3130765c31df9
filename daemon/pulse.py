"""Whether a process that serves still answers: asked every few seconds, in a thread of its own.

A process can live and answer nobody: stopped, swapped out, stuck. On a machine that trains, one that is well answers
late. So one late answer means nothing: it counts as gone after `SILENT_S` seconds and `MOST_MISSES` questions in a row
without any answer, each of which was given `TIMEOUT_S`. A daemon that itself stood still has asked nothing meanwhile,
and takes nobody for gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

EVERY_S = 10.0
TIMEOUT_S = 20.0
SILENT_S = 60.0
MOST_MISSES = 3


class Pulse:
    """Of one process, from when it first answered. `answers(timeout_s)` asks it; times are of a monotonic clock."""

    def __init__(self, answers: Callable[[float], bool], now_s: float) -> None:
        self._answers = answers
        self._answered_s = self._asked_s = now_s
        self._misses = 0
        self._asking: threading.Thread | None = None
        self._answered = False

    def tick(self, now_s: float) -> None:
        """Take the last answer, ask again when it is time; never waits."""
        if self._asking is not None and not self._asking.is_alive():
            self._take(now_s)
        if self._asking is None and now_s - self._asked_s >= EVERY_S:
            self._asked_s, self._answered = now_s, False
            self._asking = threading.Thread(target=self._ask, name="pulse", daemon=True)
            self._asking.start()

    def gone(self, now_s: float) -> bool:
        return self._misses >= MOST_MISSES and self.silent_s(now_s) >= SILENT_S

    def silent_s(self, now_s: float) -> float:
        """Since its last answer; 0 while none was missed."""
        return now_s - self._answered_s if self._misses else 0.0

    def _take(self, now_s: float) -> None:
        self._asking = None
        self._misses = 0 if self._answered else self._misses + 1
        if self._answered:
            self._answered_s = now_s

    def _ask(self) -> None:
        self._answered = self._answers(TIMEOUT_S)
