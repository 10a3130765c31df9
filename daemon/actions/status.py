"""`adaptd status` and `GET /v1/status`: how everything stands, in one answer. Its JSON is a promise (docs)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.actions.trends import TrendStatus, read_trends
from daemon.actions.tuning import settings_in_words
from daemon.config import ANY_TASK, TaskConfig
from daemon.jobs import JOBS
from daemon.power import power_now
from learners.errors import LearnerError
from learners.job_files import last_progress
from learners.yardsticks import comparable, known, main_scores
from storage import buffer, failures, intake, registry, updates
from storage.records import FAILURE_STATES, Line, Score, Update, UpdateState


class ConfigStatus(BaseModel):
    """`last_reload` is `ok`, or what is wrong with the file: then the config before it stays in force."""

    loaded_at: datetime | None = None
    last_reload: str = "ok"
    reloads_ok: int = 0
    reloads_failed: int = 0
    needs_restart: list[str] = []


class EventCounts(BaseModel):
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    refused: int = 0
    quarantined: int = 0


class SourceStatus(BaseModel):
    name: str
    state: str
    lag: int | None
    reason: str = ""
    lost_records: int = 0


class ChampionStatus(BaseModel):
    """`score` in [0, 1] is by the newest yardstick of the task's main metric; null where it was measured by an earlier
    one, or not at all."""

    adapter: str
    since: datetime
    score: float | None
    serving: bool


class BatchStatus(BaseModel):
    have: int
    need: int
    state: str
    reason: str


class ProgressStatus(BaseModel):
    """How far the worker is: steps of all phases, or answers; `stage` is the curriculum's."""

    done: int
    total: int
    phase: str | None
    stage: str | None
    loss: float | None


class RunningStatus(BaseModel):
    update_id: int
    state: str
    since: datetime
    reason: str
    progress: ProgressStatus | None = None


class UpdatesStatus(BaseModel):
    running: RunningStatus | None
    queued: int
    totals: dict[str, int]
    last_failure: str = ""


class ScoreStatus(BaseModel):
    """What an adapter was worth by one metric, in [0, 1].

    Scores of one metric and one `yardstick` can be compared; null is not known. `comparable`: with the newest scores.
    """

    adapter: str
    metric: str
    value: float
    yardstick: str | None = None
    comparable: bool = True


class GateStatus(BaseModel):
    """What a first look would see now; `spread` and `detects` (the gain found in 80 % of cases) are in [0, 1].

    `measured`: the spread is from looks of this task; `detects` is null where there are too few prompts.
    """

    prompts: int
    spread: float
    measured: bool
    detects: float | None
    words: str


class FailureStatus(BaseModel):
    """A kind of failure: how many examples showed it, since when and how lately, and whether it is on its way out."""

    kind: str
    state: str
    state_since: datetime
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    age_s: float


class TaskStatus(BaseModel):
    champion: ChampionStatus | None
    batch: BatchStatus | None
    learners: dict[str, bool | str]
    tuned: str = ""
    examples: dict[str, int]
    updates: UpdatesStatus
    scores: list[ScoreStatus]
    trend: TrendStatus
    gate: GateStatus | None = None
    failures: list[FailureStatus] = []


class Status(BaseModel):
    ready: bool
    not_ready: list[str]
    version: str
    started_at: datetime | None
    roles: list[str]
    config: ConfigStatus
    events: EventCounts
    sources: list[SourceStatus]
    services: dict[str, str]
    tasks: dict[str, TaskStatus]


COUNTED_TOTALS: tuple[UpdateState, ...] = ("promoted", "held", "rejected", "failed", "cancelled", "expired")


def status(context: Context) -> Status:
    """Everything in one short read of the store plus what runs."""
    live = context.live
    not_ready = live.not_ready() if live else ["no daemon: this is read from the store"]
    totals = context.store.read(intake.totals)
    return Status(
        ready=not not_ready,
        not_ready=not_ready,
        version=adaptd_version(),
        started_at=live.started_at if live else None,
        roles=list(live.roles) if live else [],
        config=ConfigStatus(**asdict(live.config_state())) if live else ConfigStatus(),
        events=EventCounts(**{name: getattr(totals, name, 0) for name in EventCounts.model_fields}),
        sources=_sources(context),
        services=dict(live.services()) if live else {},
        tasks=context.store.read(lambda tx: _tasks(context, tx)),
    )


def adaptd_version() -> str:
    try:
        return version("adaptd")
    except PackageNotFoundError:  # run from a folder, not installed
        return "0+unknown"


def _sources(context: Context) -> list[SourceStatus]:
    views = context.live.sources() if context.live else []
    return [
        SourceStatus(
            name=view.name,
            state=view.health.state,
            reason=view.health.reason,
            lag=view.lag,
            lost_records=view.health.lost_records,
        )
        for view in views
    ]


def _tasks(context: Context, tx: Connection) -> dict[str, TaskStatus]:
    config = context.config()
    names = {name for name in config.tasks if name != ANY_TASK} | {line.task for line in registry.list_lines(tx)}
    return {name: _task(context, tx, name, config.task(name)) for name in sorted(names)}


def _task(context: Context, tx: Connection, task: str, in_force: TaskConfig | None) -> TaskStatus:
    scores = known(updates.scores(tx, task))
    newest = comparable(scores)
    decision = context.live.batch_of(task) if context.live else None
    return TaskStatus(
        champion=_champion(
            context,
            registry.serving_line(tx, task),
            {score.adapter: score.value for score in main_scores(newest)},
        ),
        batch=decision
        and BatchStatus(have=decision.have, need=decision.need, state=decision.state, reason=decision.reason),
        learners=in_force.learners.model_dump() if in_force else {},
        tuned=settings_in_words(tx, in_force) if in_force else "",
        examples=asdict(buffer.buffer_counts(tx, task)),
        updates=_updates(context, tx, task),
        scores=[_score(one, comparable=one in newest) for one in scores],
        trend=read_trends(context, tx, task),
        gate=_gate(tx, in_force) if in_force and in_force.gate.enabled else None,
        failures=failures_now(context, tx, task),
    )


def _score(score: Score, *, comparable: bool) -> ScoreStatus:
    plain = {name: getattr(score, name) for name in ("adapter", "metric", "value", "yardstick")}
    return ScoreStatus(**plain, comparable=comparable)


def _gate(tx: Connection, task: TaskConfig) -> GateStatus:
    power = power_now(tx, task)
    return GateStatus(
        prompts=power.prompts,
        spread=power.spread,
        measured=power.measured,
        detects=power.gain,
        words=power.words,
    )


def failures_now(context: Context, tx: Connection, task: str) -> list[FailureStatus]:
    """What needs looking at first: by state, then the most frequent."""
    found = failures.list_failures(tx, task)
    now = context.clock()
    return [
        FailureStatus(
            kind=one.kind,
            state=one.state,
            state_since=one.state_since,
            count=one.count,
            first_seen_at=one.first_seen_at,
            last_seen_at=one.last_seen_at,
            age_s=max(0.0, (now - one.first_seen_at).total_seconds()),
        )
        for one in sorted(found, key=lambda one: (FAILURE_STATES.index(one.state), -one.count, one.kind))
    ]


def _champion(context: Context, line: Line | None, scores: dict[str, float]) -> ChampionStatus | None:
    if line is None:
        return None
    route = context.live.routes().get(line.task) if context.live else None
    return ChampionStatus(
        adapter=line.champion,
        since=line.since,
        score=scores.get(line.champion),
        serving=bool(route and route.champion == line.champion),
    )


def _updates(context: Context, tx: Connection, task: str) -> UpdatesStatus:
    totals = updates.totals(tx, task)
    unfinished: Update | None = updates.running_update(tx, task)
    failed = [update for update in updates.list_updates(tx, task, limit=5) if update.state == "failed"]
    return UpdatesStatus(
        running=unfinished
        and RunningStatus(
            update_id=unfinished.update_id,
            state=unfinished.state,
            since=unfinished.changed_at,
            reason=unfinished.reason,
            progress=_progress(context, tx, unfinished),
        ),
        queued=totals.get("queued", 0),
        totals={name: totals.get(name, 0) for name in COUNTED_TOTALS},
        last_failure=failed[0].reason if failed else "",
    )


def _progress(context: Context, tx: Connection, update: Update) -> ProgressStatus | None:
    """What the worker that is at it said last; None before it has said anything, and between attempts."""
    at_work = [job for job in updates.list_jobs(tx, update.update_id) if job.state == "running"]
    if not at_work:
        return None
    folder = Path(context.config().storage.artifacts) / JOBS / at_work[-1].directory
    try:
        said = last_progress(folder)
    except (LearnerError, OSError):
        return None
    if said is None:
        return None
    return ProgressStatus(done=said.done, total=said.total, phase=said.phase, stage=said.stage, loss=said.loss)
