"""Until when an update waits because a service that it needs was away: a validator's, a judge, the engine.

Kept in memory: after a restart of the daemon it is tried at once. Each pause is four times as long as the one before,
up to sixteen times, so that three attempts span minutes, and a restart of the service costs no candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

FIRST = timedelta(seconds=30)


class Pauses:
    """By update. Called from the scheduler thread alone."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._until: dict[int, datetime] = {}

    def begin(self, update_id: int, attempts: int) -> None:
        """After so many attempts, this one included."""
        self._until[update_id] = self._clock() + FIRST * 4 ** min(attempts - 1, 2)

    def waits(self, update_id: int) -> bool:
        """Whether it is too early to try again; a pause that is over is forgotten."""
        until = self._until.get(update_id)
        if until is None or self._clock() < until:
            return until is not None
        del self._until[update_id]
        return False
