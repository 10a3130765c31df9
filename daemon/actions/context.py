"""What every action needs: the store, the config in force, the clock, and what runs, where a daemon runs.

Without a daemon (`live` is None) reads answer from the store alone and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from consumers.sources.protocol import SourceHealth
from daemon.config import Config
from daemon.intake import Outcome, Parcel
from daemon.reload import ConfigState
from learners.batching import BatchDecision
from storage.artifacts import Artifacts
from storage.store import Store


def utc_now() -> datetime:
    """The one wall clock; everything else takes `now`."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class SourceView:
    """How one source is doing."""

    name: str
    health: SourceHealth
    lag: int | None


@dataclass(frozen=True)
class EngineRoute:
    """Where one task's adapters answer: the engine's own names by ours."""

    engine_url: str
    champion: str
    engine_model: str
    versions: Mapping[str, str] = field(default_factory=dict)


class Live(Protocol):
    """The running parts, as actions may see and use them. Every member is safe from any thread."""

    started_at: datetime
    roles: tuple[str, ...]

    def config_state(self) -> ConfigState: ...

    def not_ready(self) -> list[str]: ...

    def sources(self) -> list[SourceView]: ...

    def batch_of(self, task: str) -> BatchDecision | None: ...

    def routes(self) -> Mapping[str, EngineRoute]: ...

    def services(self) -> Mapping[str, str]: ...

    def restarts(self) -> Mapping[str, int]: ...

    def ingest(self, parcel: Parcel) -> Outcome: ...

    def refused(self, source: str) -> None: ...

    def release_soon(self) -> None: ...

    def begin(self, task: str) -> None: ...

    def base_hash(self) -> str | None: ...

    def cancel(self, update_id: int) -> None: ...

    def search_of(self, task: str) -> str: ...


@dataclass(frozen=True)
class Context:
    """Handed to every action."""

    store: Store
    artifacts: Artifacts
    config: Callable[[], Config]
    clock: Callable[[], datetime] = utc_now
    live: Live | None = None
