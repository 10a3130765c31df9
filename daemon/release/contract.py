"""What every release target takes and gives back. A target is a reconciler: told what is wanted, it does what is
missing, and says how far it came; told the same again, it does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from storage.records import Adapter

Role = Literal["champion", "pinned", "judged"]
ReleaseState = Literal["serving", "failed", "waiting"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An adapter that should be served, and why: as `champion`, `pinned` (older, may be asked for by its version) or
    `judged` (an evaluate job has loaded it: leave it alone). `path` is its folder of files; None for `@v0`, the base.
    """

    adapter: Adapter
    path: Path | None
    role: Role = "champion"


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """How far a target came with one task's champion.

    `changed` is true in the one pass in which it began to serve, or first failed or waited for this reason.
    """

    target: str
    task: str
    adapter: str
    state: ReleaseState
    reason: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Site:
    """Where this daemon's things are. `engine_url` is None while the engine is not there; `slots` is how many adapters
    it holds; `root` is what relative paths in settings start from."""

    root: Path
    engine_url: str | None = None
    slots: int = 8


class Target(Protocol):
    """One place that champions go to. All calls come from one thread, but `routes` of the engine target."""

    def reconcile(self, wanted: Sequence[Wanted]) -> tuple[ReleaseOutcome, ...]:
        """One outcome a champion wanted, in their order. Never raises for what an operator can mend."""

    def close(self) -> None:
        """Gives back what it holds; what serves goes on serving."""


class Changes:
    """Remembers each task's last outcome, so that a target says `changed` once and not in every pass."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._last: dict[str, tuple[str, ReleaseState, str]] = {}

    def outcome(self, wanted: Wanted, state: ReleaseState, reason: str) -> ReleaseOutcome:
        """The outcome, with `changed` as it is against the last one of this task."""
        task, name = wanted.adapter.task, wanted.adapter.name
        now = (name, state, reason)
        changed = self._last.get(task) != now
        self._last[task] = now
        return ReleaseOutcome(self._target, task, name, state, reason, changed)
