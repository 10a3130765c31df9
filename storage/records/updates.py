"""Updates, jobs and adapters: one training run, its attempts, what came out of it, and what was decided of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

UpdateState = Literal["queued", "running", "trained", "held", "promoted", "rejected", "failed", "cancelled", "expired"]
UPDATE_STATES: tuple[UpdateState, ...] = (
    "queued",
    "running",
    "trained",
    "held",
    "promoted",
    "rejected",
    "failed",
    "cancelled",
    "expired",
)
TERMINAL_UPDATE_STATES: frozenset[UpdateState] = frozenset({"promoted", "rejected", "failed", "cancelled", "expired"})
JobKind = Literal["train", "evaluate"]
JobState = Literal["queued", "leased", "running", "done", "failed", "cancelled"]
Verdict = Literal["promote", "hold", "reject"]


@dataclass(frozen=True, slots=True)
class Update:
    """One training run: batch in, candidate out. `attempts` counts crashed tries; `lease_epoch` guards each change."""

    update_id: int
    task: str
    state: UpdateState
    lease_epoch: int
    attempts: int
    pool_size: int
    batch_size: int
    champion: str  # the adapter it started against, e.g. erd@v3
    candidate: str | None  # e.g. erd@v4, known once trained
    reason: str  # why it was started, or why it ended so
    created_at: datetime
    changed_at: datetime
    report: dict[str, Any] = field(default_factory=dict)  # result.json and verdict, for people and `updates show`


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one step of an update, in a directory of its own."""

    job_id: int
    update_id: int
    kind: JobKind
    state: JobState
    attempt: int
    lease_epoch: int
    directory: str
    created_at: datetime
    changed_at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Adapter:
    """`<task>@v<N>`, immutable. `@v0` is the bare base: no files, no parent. `files` maps name to sha256."""

    name: str
    task: str
    version: int
    base_hash: str
    parent: str | None
    update_id: int | None
    created_at: datetime
    state: Literal["candidate", "champion", "retired", "rejected"]
    directory: str | None = None  # relative to the artifact root
    files: dict[str, str] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """A task's succession of adapters on one base."""

    task: str
    base_hash: str
    champion: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """What an adapter was worth by one metric in [0, 1], over `count` prompts.

    `yardstick` is a short hash of what decides whether two scores of a metric can be compared (`learners.yardsticks`);
    None where that is not known.
    """

    adapter: str
    metric: str
    value: float
    count: int
    at: datetime
    yardstick: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the evidence on one candidate."""

    update_id: int
    number: int  # 1, 2 or 3
    prompts: int
    verdict: Verdict
    reason: str
    at: datetime
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """Anything the daemon (or a person, by `actor`) decided, with its reason. No user text, no user ids."""

    at: datetime
    kind: str  # batch, update, verdict, release, rollback, set_aside, intake, config ...
    reason: str
    task: str | None = None
    subject: str | None = None  # an adapter, an update number, a source
    actor: str = "adaptd"
    detail: dict[str, Any] = field(default_factory=dict)
