"""The page of metrics over a desk's store, without a running daemon, and its samples as a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from consumers.sources.protocol import SourceHealth
from daemon.actions.context import Context, SourceView
from daemon.intake import Outcome, Parcel
from daemon.metrics.exposition import Metrics
from daemon.reload import ConfigState
from learners.batching import BatchDecision
from storage.artifacts import Artifacts
from tests.daemon.desk import NOW, Desk

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass
class Parts:
    """What would run, standing still (daemon.actions.context.Live)."""

    started_at: Any = NOW
    roles: tuple[str, ...] = ("intake", "learn", "api")
    health: SourceHealth = field(default_factory=lambda: SourceHealth("polling"))
    states: dict[str, str] = field(default_factory=lambda: {"engine": "ready"})
    restarted: dict[str, int] = field(default_factory=lambda: {"engine": 0})
    missing: list[str] = field(default_factory=list)
    config: ConfigState = field(default_factory=lambda: ConfigState(NOW))

    def not_ready(self) -> list[str]:
        return self.missing

    def sources(self) -> list[SourceView]:
        return [SourceView("kafka", self.health, 5)]

    def batch_of(self, task: str) -> BatchDecision | None:
        return BatchDecision(True, 12, 10, 3, 4, "ripe", "12 of 10 examples", (), ())

    def routes(self) -> Mapping[str, Any]:
        return {}

    def services(self) -> Mapping[str, str]:
        return self.states

    def restarts(self) -> Mapping[str, int]:
        return self.restarted

    def config_state(self) -> ConfigState:
        return self.config

    def ingest(self, parcel: Parcel) -> Outcome:
        raise NotImplementedError

    def refused(self, source: str) -> None:
        raise NotImplementedError

    def base_hash(self) -> str | None:
        return None

    def release_soon(self) -> None:
        raise NotImplementedError

    def search_of(self, task: str) -> str:
        return ""

    def begin(self, task: str) -> None:
        raise NotImplementedError

    def cancel(self, update_id: int) -> None:
        raise NotImplementedError


class Page:
    """`send` as an app does; `read` as Prometheus does."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.parts = desk, Parts()
        artifacts = desk.store.path.parent / "artifacts"
        storage = desk.config.storage.model_copy(update={"artifacts": str(artifacts)})
        desk.config = desk.config.model_copy(update={"storage": storage})
        artifacts.mkdir()
        self.artifacts = artifacts
        self.metrics = Metrics(NOW)
        self.context = Context(desk.store, Artifacts(artifacts), lambda: desk.config, lambda: NOW, live=self.parts)

    def send(self, *sent: Mapping[str, Any] | bytes) -> None:
        outcome = self.desk.send(*sent)
        self.metrics.observe(Parcel("http"), outcome, self.desk.config)

    def text(self) -> str:
        return self.metrics.page(self.context).decode()

    def read(self) -> Samples:
        families = text_string_to_metric_families(self.text())
        return {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}

    def value(self, metric: str, **labels: str) -> float | None:
        return self.read().get((f"adaptd_{metric}", tuple(sorted(labels.items()))))
