"""Failures: what answers lack again and again, by kind, and how far each kind is on its way out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

FailureState = Literal["open", "shrinking", "fixed", "back again"]
FAILURE_STATES: tuple[FailureState, ...] = ("back again", "open", "shrinking", "fixed")


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure of a task, such as `check:keys`, `feedback:correction` or `prompts:3`; never user text.

    `count` is how many examples showed it, from `first_seen_at` to `last_seen_at`. `words` are of a cluster of prompts
    alone: hashes of what those prompts have in common.
    """

    task: str
    kind: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    state: FailureState
    state_since: datetime
    words: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """In which kinds one example fails (none: it does not), as of its feedback at `last_signal_at`.

    `adapter` gave the answer.
    """

    interaction_id: str
    last_signal_at: datetime
    adapter: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """So many of `judged` answers failed."""

    failed: int = 0
    judged: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.failed + other.failed, self.judged + other.judged)
