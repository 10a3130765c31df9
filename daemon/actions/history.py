"""What the performance tracker shows: a task over its versions and updates, and one update from its first step on.

`GET /v1/history?task=T`, `GET /v1/updates/N/history`; `adaptd tasks plot` and `adaptd updates plot` draw them. Numbers
only: no text of any user is here, and no id.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from consumers.rewards import reward
from daemon.actions.context import Context
from daemon.actions.participation import Part, parts_of, phases_of
from daemon.actions.trends import TrendStatus, read_trends
from daemon.actions.updates import UpdateView
from daemon.errors import NotFound
from learners.curves import PhaseCurve, curves_of
from learners.errors import LearnerError
from learners.job_files import read_progress
from learners.tracker import score_interval
from learners.yardsticks import SCORED, comparable, known, likelihood_yardstick
from storage import buffer, registry, reservations, updates
from storage.records import Adapter, Job, Score, Update

MOST_UPDATES = 100
MOST_SIGNALS = 20_000
REWARD_BINS = 20  # of equal width over [-1, 1]
PERCENTILES = 20  # quantiles at every 5 %


class VersionPoint(BaseModel):
    """One adapter's score in [0, 1] by one metric, with its 95 % interval, on `count` prompts.

    `fate` is `base`, `promoted` for whoever reigns or has reigned, else its update's state; `champion` is the one in
    service. Scores of one metric and one `yardstick` can be compared; null is not known. `comparable`: with the
    newest scores.
    """

    adapter: str
    version: int
    fate: str
    base: str  # the first figures of the base's hash: a line belongs to one base
    champion: bool
    metric: str
    score: float
    low: float
    high: float
    count: int
    yardstick: str | None = None
    comparable: bool = True


class Stage(BaseModel):
    """A stage of the curriculum, and how many steps it had."""

    name: str
    steps: int


class UpdatePoint(BaseModel):
    """One update: what went in, and by how much its candidate differed from the champion, in [-1, 1].

    `learners` are the switches as they stood; `parts` is what became of each: `took part`, `idle` (on, with nothing to
    do), `off`, or `unknown` where the update has no report of it.
    """

    update_id: int
    state: str
    at: datetime
    candidate: str | None
    batch_size: int
    pool_size: int
    learners: dict[str, bool | str]
    parts: dict[str, Part]
    stages: list[Stage]
    metric: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    yardstick: str | None = None


class RewardBand(BaseModel):
    """The rewards in [-1, 1] of the feedback that came since the update before, until this one began.

    `update_id` is None for what came after the last. Null percentiles: fewer than two values.
    """

    update_id: int | None
    count: int
    mean: float
    percentiles: list[float] = []  # 5, 10, ... 95


class TaskHistory(BaseModel):
    task: str
    at: datetime
    versions: list[VersionPoint]
    updates: list[UpdatePoint]
    rewards: list[RewardBand]
    trend: TrendStatus


class PhaseHistory(BaseModel):
    """One method's part in an update. `curve` is None where it was not kept."""

    method: str
    steps_before: int
    steps_planned: int
    best_step: int | None
    early_stopping: str
    stages: list[Stage]
    curve: PhaseCurve | None


class UpdateHistory(UpdateView):
    """`rewards` counts the feedback on its batch in `REWARD_BINS` equal bins over [-1, 1]."""

    phases: list[PhaseHistory]
    rewards: list[int]
    learners: dict[str, bool | str]
    parts: dict[str, Part]
    metric: str | None
    champion_score: float | None
    candidate_score: float | None
    difference: float | None
    interval: tuple[float, float] | None


def task_history(context: Context, task: str) -> TaskHistory:
    """The newest `MOST_UPDATES` updates of a task, oldest first. Raises NotFound for an unknown task."""
    return context.store.read(lambda tx: _task(context, tx, task))


def update_history(context: Context, update_id: int) -> UpdateHistory:
    """Raises NotFound when there is no update of that number."""
    update, jobs = context.store.read(lambda tx: (updates.get_update(tx, update_id), updates.list_jobs(tx, update_id)))
    if update is None:
        raise NotFound(f"there is no update {update_id}; `adaptd updates list` shows those that are")
    verdict = update.report.get("verdict", {})
    return UpdateHistory(
        **{name: getattr(update, name) for name in UpdateView.model_fields},
        phases=_phases(update, _curves(context, update, jobs)),
        rewards=context.store.read(lambda tx: _rewards_of(context, tx, update)),
        learners=update.report.get("learners", {}),
        parts=parts_of(update.report),
        metric=verdict.get("primary"),
        champion_score=verdict.get("champion_score"),
        candidate_score=verdict.get("candidate_score"),
        difference=verdict.get("difference"),
        interval=verdict.get("interval"),
    )


def _task(context: Context, tx: Connection, task: str) -> TaskHistory:
    found = updates.list_updates(tx, task, limit=MOST_UPDATES)[::-1]
    adapters = registry.list_adapters(tx, task)
    if not found and not adapters and task not in context.config().declared:
        raise NotFound(f"nothing is known of a task {task}; `adaptd tasks` shows those that are")
    return TaskHistory(
        task=task,
        at=context.clock(),
        versions=_versions(tx, task, adapters, found),
        updates=[_update_point(update) for update in found],
        rewards=_bands(context, tx, task, found),
        trend=read_trends(context, tx, task),
    )


def _versions(tx: Connection, task: str, adapters: Sequence[Adapter], found: Sequence[Update]) -> list[VersionPoint]:
    """Of each adapter what was kept of it; by a metric that none was kept of, what the gate said of it."""
    kept = [score for score in known(updates.scores(tx, task)) if score.metric in SCORED]
    has = {(score.adapter, score.metric) for score in kept}
    by_name = {adapter.name: adapter for adapter in adapters}
    measured = known([*kept, *(one for one in _judged(found, by_name) if (one.adapter, one.metric) not in has)])
    newest, fates, line = comparable(measured), _fates(tx, task, adapters), registry.serving_line(tx, task)
    in_service = line.champion if line else None
    places = {adapter.name: place for place, adapter in enumerate(adapters)}
    return [
        _point(score, by_name[score.adapter], fates, score.adapter == in_service, score in newest)
        for score in sorted(measured, key=lambda one: (SCORED.index(one.metric), places[one.adapter]))
    ]


def _point(score: Score, adapter: Adapter, fates: Mapping[str, str], champion: bool, comparable: bool) -> VersionPoint:
    low, high = score_interval(score.value, score.count)
    return VersionPoint(
        adapter=adapter.name,
        version=adapter.version,
        fate=fates[adapter.name],
        base=adapter.base_hash[:8],
        champion=champion,
        metric=score.metric,
        score=score.value,
        low=low,
        high=high,
        count=score.count,
        yardstick=score.yardstick,
        comparable=comparable,
    )


def _fates(tx: Connection, task: str, adapters: Sequence[Adapter]) -> dict[str, str]:
    """Whoever reigned was promoted, by the gate or by hand, however long ago."""
    reigned = {name for base in {one.base_hash for one in adapters} for name in registry.reigned(tx, task, base)}
    states: Mapping[str, str] = updates.states_of_candidates(tx, task)
    made = {one.name: "promoted" if one.name in reigned else states.get(one.name, one.state) for one in adapters}
    return made | {one.name: "base" for one in adapters if one.update_id is None}


def _judged(found: Sequence[Update], adapters: Mapping[str, Adapter]) -> list[Score]:
    """What the gate said of each adapter last, where that is a score of its own: reports of before such were kept."""
    scores: dict[tuple[str, str], Score] = {}
    for update in found:
        verdict = update.report.get("verdict", {})
        metric = verdict.get("primary")
        for name, key in ((update.champion, "champion_score"), (update.candidate, "candidate_score")):
            told = metric in SCORED and verdict.get(key) is not None and not verdict.get("screened")
            if told and name is not None and name in adapters:
                by = verdict.get("yardstick")
                by = by if metric == "validator" else likelihood_yardstick(adapters[name].base_hash)
                value, count = float(verdict[key]), int(verdict["prompts"])
                scores[name, metric] = Score(name, metric, value, count, update.changed_at, by)
    return list(scores.values())


def _update_point(update: Update) -> UpdatePoint:
    verdict = update.report.get("verdict", {})
    low, high = verdict.get("interval") or (None, None)
    return UpdatePoint(
        update_id=update.update_id,
        state=update.state,
        at=update.created_at,
        candidate=update.candidate,
        batch_size=update.batch_size,
        pool_size=update.pool_size,
        learners=update.report.get("learners", {}),
        parts=parts_of(update.report),
        stages=_merged([_stages(phase) for phase in _told(update)]),
        metric=verdict.get("primary"),
        difference=verdict.get("difference"),
        low=low,
        high=high,
        yardstick=verdict.get("yardstick"),
    )


def _bands(context: Context, tx: Connection, task: str, found: Sequence[Update]) -> list[RewardBand]:
    """Feedback by the update that it came before; what came before an update that is not shown goes to the first."""
    settings = in_force.rewards if (in_force := context.config().task(task)) else context.config().rewards
    begun = [update.created_at for update in found]
    parts: list[list[float]] = [[] for _ in range(len(found) + 1)]
    for at, signal in buffer.received_signals(tx, task, MOST_SIGNALS):
        parts[bisect_right(begun, at)].append(reward(signal, settings))
    numbers = [*(update.update_id for update in found), None]
    return [_band(number, part) for number, part in zip(numbers, parts, strict=True) if part]


def _band(number: int | None, values: Sequence[float]) -> RewardBand:
    cuts = quantiles(values, n=PERCENTILES, method="inclusive") if len(values) > 1 else []
    return RewardBand(update_id=number, count=len(values), mean=fmean(values), percentiles=cuts)


def _rewards_of(context: Context, tx: Connection, update: Update) -> list[int]:
    in_force = context.config().task(update.task)
    settings = in_force.rewards if in_force else context.config().rewards
    used = {str(entry[0]) for entry in update.report.get("batch", ())}
    bins = [0] * REWARD_BINS
    for name, signal in reservations.signals_of_pool(tx, update.update_id):
        if name in used:
            bins[min(REWARD_BINS - 1, int((reward(signal, settings) + 1) / 2 * REWARD_BINS))] += 1
    return bins


def _phases(update: Update, curves: Sequence[PhaseCurve]) -> list[PhaseHistory]:
    """What the result says of each phase, with its curve; of an update that has no result yet, the curves alone."""
    told = _told(update) or [{"method": curve.method} for curve in curves]
    by_method = {curve.method: curve for curve in curves}
    only = curves[0] if len(curves) == 1 and len(told) == 1 else None  # one of an earlier version has no method's name
    before, found = 0, []
    for phase in told:
        planned = int(phase.get("steps_planned", 0))
        found.append(
            PhaseHistory(
                method=str(phase.get("method", "")),
                steps_before=before,
                steps_planned=planned,
                best_step=phase.get("best_step"),
                early_stopping=str(phase.get("early_stopping", "")),
                stages=_stages(phase),
                curve=by_method.get(str(phase.get("method")), only),
            )
        )
        before += planned
    return found


def _told(update: Update) -> list[Mapping[str, Any]]:
    return phases_of(update.report.get("training", {}))


def _stages(phase: Mapping[str, Any]) -> list[Stage]:
    """Of the learner that scheduled the phase, where one did."""
    return [Stage(name=str(stage["name"]), steps=int(stage["steps"])) for stage in phase.get("stages", ())]


def _merged(parts: Sequence[Sequence[Stage]]) -> list[Stage]:
    names = dict.fromkeys(stage.name for part in parts for stage in part)
    steps = {name: sum(stage.steps for part in parts for stage in part if stage.name == name) for name in names}
    return [Stage(name=name, steps=count) for name, count in steps.items() if count]


def _curves(context: Context, update: Update, jobs: Sequence[Job]) -> list[PhaseCurve]:
    """From the report, else (it trains, or is of an earlier version) from the last attempt's directory."""
    if "curves" in update.report:
        return [PhaseCurve.model_validate(curve) for curve in update.report["curves"]]
    trained = [job for job in jobs if job.kind == "train"]
    if not trained:
        return []
    try:
        folder = Path(context.config().storage.artifacts) / "jobs" / trained[-1].directory
        return list(curves_of(read_progress(folder)))
    except (LearnerError, OSError):
        return []
