"""What can go wrong with what comes in. Reasons are short, stable words with numbers, never user text."""

from __future__ import annotations

from typing import Literal

from storage.records import AdaptdError

Stage = Literal["decode", "clean", "store"]


class ConsumerError(AdaptdError):
    """The root of this room's errors."""


class Unreadable(ConsumerError):
    """One message that cannot become an event: the dead letter's reason, before it is one.

    `stage` is `decode` (not JSON, or not of an event's shape) or `clean` (the right shape, but over a limit or
    without sense); `task` is the task that the message names, where that could be read.

    To do: correct the sender after the reason, and send the event again.

    Shows as: the reason of a dead letter; 422 where no event of a request could be read.
    """

    def __init__(self, reason: str, stage: Stage = "decode", task: str | None = None) -> None:
        super().__init__(reason, stage, task)
        self.reason = reason
        self.stage: Stage = stage
        self.task = task

    def __str__(self) -> str:
        return self.reason
