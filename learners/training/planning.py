"""From the rows of a job directory to what each phase trains on, with the learners' hooks in between.

In order: every row is encoded, and what does not fit is dropped; the hooks `select` choose the batch from the rest,
where the job leaves that to the worker; what the champion has outgrown is sifted out; the hooks `expand` make more rows
of the rest; the hook `schedule` orders the rows of each phase, or they come in random order. A method is never left
with rows from which it cannot learn, whatever the steps before dropped. The same directory on the same machine gives
the same plan, also when an attempt is gone on with: what was made is kept in made.json.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from consumers.cleaning import prompt_key
from learners.expansion import Guard, Kept, keep, key_of
from learners.hooks import Learner, learners
from learners.hooks.contract import Brought, Context, Expanded, PoolExample, Scheduled, Selection, Told
from learners.job import DEV_ROWS, ROWS, BatchLimits, LearnerReport, MadeRows, Phase, PhaseResult, PlanStep, TrainJob
from learners.job_files import read_made, read_pool, read_rows, write_made
from learners.methods import find_method
from learners.methods.sft import SftSettings
from learners.plan import Plan, in_stages, keep_apart, plan_over, random_plan, steps_for
from learners.selection import Chosen, choose
from learners.training.bench import Bench
from learners.training.fates import Fates, fates_of
from learners.training.parts import (
    Part,
    at_work,
    if_enough,
    lacks_of,
    only_of,
    read_parts,
    readable,
    sifted,
    taking,
    with_made,
    workable,
)
from learners.training.tools import ModelTools
from storage.records import Origin, Row


@dataclass(frozen=True, slots=True)
class Prepared:
    """Every phase ready to train; what each learner did; the batch, where the worker chose it.

    `given` are the rows that lines count, those that were made last; `noise` the lines that a schedule left out.
    """

    benches: tuple[Bench, ...]
    reports: Mapping[str, LearnerReport]
    batch: tuple[Origin, ...] | None
    given: tuple[Row, ...]
    noise: frozenset[int]

    def fates(self, results: Sequence[PhaseResult] = ()) -> Fates:
        """What becomes of the new examples, when the phases ended so."""
        return fates_of(self.given, self.batch, self.benches, self.noise, results)


def prepare(directory: Path, job: TrainJob, tokenizer: Any, model: Any) -> Prepared:
    """Reads, chooses, encodes and plans. Raises JobFileBroken."""
    hooks = _Hooks(job, model, tokenizer)
    given = read_rows(directory / ROWS)
    parts, batch = read_parts(directory, job, tokenizer, given), None
    if job.batch:
        batch = hooks.select(job.batch, _pool(directory, parts, given))
        parts = [if_enough(replace(part, rows=only_of(part.rows, given, set(batch)))) for part in parts]
    dev_rows = read_rows(directory / DEV_ROWS)
    parts = workable([sifted(job, part, model) for part in parts], given, dev_rows)
    if hooks.expands:
        made = read_made(directory) or _made(directory, hooks, parts, given)
        parts = with_made(parts, made, job, tokenizer, given)
        given = (*given, *made.rows)
        parts = workable(parts, given, dev_rows)
        hooks.add_reports(made.reports)
    parts = [replace(part, dev=readable(part, dev_rows)) for part in parts if not part.stands_by]
    planned = [hooks.plan(part, given) for part in parts]
    total, done, benches = sum(len(scheduled.plan.steps) for scheduled in planned), 0, []
    for part, scheduled in zip(parts, planned, strict=True):
        plan, why = scheduled.plan, (*part.notes, *scheduled.reasons)
        rows, dev = part.rows, part.dev
        benches.append(
            Bench(directory, job, part.phase, model, tokenizer, rows, dev, plan, done, total, why, scheduled.stages)
        )
        done += len(plan.steps)
    return Prepared(tuple(benches), hooks.reports, batch, tuple(given), _noise(parts, planned))


def plan_steps(benches: Sequence[Bench]) -> list[PlanStep]:
    """The plan in lines of rows.jsonl, as plan.jsonl tells it (a plan itself counts the rows that were kept)."""
    told = [
        (bench.phase.method, stage, tuple(bench.rows.rows[at].line for at in step))
        for bench in benches
        for step, stage in zip(bench.plan.steps, _stage_names(bench), strict=True)
    ]
    return [PlanStep(step=at, phase=method, stage=stage, rows=rows) for at, (method, stage, rows) in enumerate(told)]


def _stage_names(bench: Bench) -> list[str | None]:
    named: list[str | None] = [stage.name for stage in bench.stages for _ in range(stage.steps)]
    return named or [None] * len(bench.plan.steps)


def _made(directory: Path, hooks: _Hooks, parts: Sequence[Part], given: Sequence[Row]) -> MadeRows:
    """What the learners make of the batch, written down."""
    fresh = [row for part in parts for row in part.rows.rows if not row.replay]
    dev = {prompt_key(row.messages) for row in read_rows(directory / DEV_ROWS)}
    present = {key_of(given[row.line]) for part in parts for row in part.rows.rows}
    made = hooks.expand([replace(given[row.line], weight=row.weight) for row in fresh], at_work(parts), present, dev)
    made = made.model_copy(
        update={
            "parents": tuple(fresh[at].line for at in made.parents),
            "gave_way": tuple(fresh[at].line for at in made.gave_way),
        }
    )
    write_made(directory, made)
    return made


def _noise(parts: Sequence[Part], planned: Sequence[Scheduled]) -> frozenset[int]:
    """The lines of rows that a schedule left out."""
    return frozenset(
        part.rows.rows[place].line
        for part, scheduled in zip(parts, planned, strict=True)
        for place in scheduled.left_out
    )


class _Hooks:
    """The learners that are on in a job, and what they did."""

    def __init__(self, job: TrainJob, model: Any, tokenizer: Any) -> None:
        self._job, self._model, self._tokenizer = job, model, tokenizer
        self._on = {name: learner for name, learner in learners().items() if name in job.learners}
        self.reports: dict[str, LearnerReport] = {}

    def select(self, limits: BatchLimits, pool: Sequence[PoolExample]) -> tuple[Origin, ...]:
        """The batch out of the pool, by every learner that has a wish."""
        wishes = {}
        for name, learner in self._on.items():
            if learner.select:
                context = self._context(learner, self._job.phases[0])
                wishes[name] = learner.select(pool, limits.size, context)
                self._report(name, (*wishes[name].reasons, *_notes_of(context)), wishes[name].numbers)
        chosen = choose(
            pool, wishes, budget=limits.size, cap=limits.cap, min_users=limits.min_users, seed=self._job.seed
        )
        for name, wish in wishes.items():
            self._report_brought(name, wish, chosen, limits.size)
        return tuple(pool[place].origin for place in chosen.places)

    @property
    def expands(self) -> bool:
        """Whether a learner that is on makes rows."""
        return any(learner.expand for learner in self._on.values())

    def expand(
        self, rows: Sequence[Row], phases: Sequence[Phase], present: Collection[str], dev: Collection[str]
    ) -> MadeRows:
        """What every learner makes of the batch's rows, as far as it is kept. Places are those of `rows`."""
        kept: list[tuple[int, Row]] = []
        gave_way: set[int] = set()
        reports: dict[str, LearnerReport] = {}
        for name, learner in self._on.items():
            if learner.expand is None:
                continue
            context = self._context(learner, self._job.phases[0])
            made = learner.expand(rows, context)
            known = {*present, *(key_of(row) for _, row in kept)}
            guard = Guard(
                validate=context.tools.validate,
                taken=lambda row: taking(phases, row) is not None,
                gate=frozenset(self._job.gate_keys),
                dev=dev,
                present=known,
            )
            found = keep(made, rows, guard)
            kept += found.rows
            gave_way.update(found.gave_way)
            reports[name] = _made_report(made, found, context)
        return MadeRows(
            rows=tuple(row for _, row in kept),
            parents=tuple(at for at, _ in kept),
            gave_way=tuple(sorted(gave_way)),
            reports=reports,
        )

    def plan(self, part: Part, given: Sequence[Row]) -> Scheduled:
        """Which kept rows each step sees, no prompt twice in a step where the method asks for that."""
        scheduled = self._schedule(part, given)
        if not find_method(part.phase.method).prompt_once:
            return scheduled
        keys, stages = [row.prompt_ids for row in part.rows.rows], [stage.steps for stage in scheduled.stages]
        return replace(scheduled, plan=keep_apart(scheduled.plan, keys, stages))

    def _schedule(self, part: Part, given: Sequence[Row]) -> Scheduled:
        """In random order, or as a learner has it."""
        kept = part.rows.rows
        if not kept:
            return Scheduled(Plan(()), (), (), ("skipped: no row was left",))
        settings: Any = find_method(part.phase.method).Settings.model_validate(part.phase.settings)
        steps = steps_for(len(kept), settings.batch_size, settings.steps)
        for name, learner in self._on.items():
            if learner.schedule:
                rows = [replace(given[row.line], weight=row.weight) for row in kept]
                context = self._context(learner, part.phase)
                scheduled = self._followed(learner.schedule(rows, steps, context), rows, part.phase)
                self._report(name, (*scheduled.reasons, *_notes_of(context)), scheduled.numbers)
                return scheduled
        plan = random_plan(len(kept), batch_size=settings.batch_size, steps=steps, seed=self._job.seed)
        return Scheduled(plan, (), (), ())

    def _followed(self, scheduled: Scheduled, rows: Sequence[Row], phase: Phase) -> Scheduled:
        """The schedule; where the method cannot learn from one of its stages, the rows that it keeps in random order,
        or all of them where it cannot learn from those either."""
        stages = [stage.steps for stage in scheduled.stages]
        reached = [{at for step in steps for at in step} for steps in in_stages(scheduled.plan, stages)]
        lacks = [lacks_of(phase, [rows[at] for at in sorted(places)]) for places in reached]
        if not any(lacks):
            return scheduled
        settings: Any = find_method(phase.method).Settings.model_validate(phase.settings)
        left_out = () if lacks_of(phase, [rows[at] for at in set().union(*reached)]) else scheduled.left_out
        plan = plan_over(
            [at for at in range(len(rows)) if at not in left_out],
            batch_size=settings.batch_size,
            steps=len(scheduled.plan.steps),
            random=Random(self._job.seed),
        )
        why = f"in random order, {len(left_out)} left out: a stage would be {next(filter(None, lacks))}"
        return Scheduled(Plan(plan), (), left_out, (why,), {**scheduled.numbers, "left_out": float(len(left_out))})

    def _context(self, learner: Learner, phase: Phase) -> Context:
        settings: Any = find_method(phase.method).Settings.model_validate(phase.settings)
        probing = settings if isinstance(settings, SftSettings) else _sft_like(self._job)
        tools = ModelTools(self._model, self._tokenizer, self._job, probing)
        own = learner.Settings.model_validate(self._job.learners[learner.name])
        return Context(settings=own, batch_size=settings.batch_size, seed=self._job.seed, tools=tools)

    def _report_brought(self, name: str, wish: Selection, chosen: Chosen, size: int) -> None:
        """What is in the batch, which is not what was wished for."""
        brought = chosen.by.get(name, ())
        told = wish.tell(Brought(brought, chosen.places)) if wish.tell else Told(())
        words = f"brought {len(brought)} of the {len(chosen.places)} examples of the batch (it may hold {size})"
        self._report(name, (words, *told.reasons), {**told.numbers, "brought": float(len(brought))})

    def add_reports(self, reports: Mapping[str, LearnerReport]) -> None:
        for name, report in reports.items():
            self._report(name, report.did, report.numbers)

    def _report(self, name: str, did: Sequence[str], numbers: Mapping[str, float]) -> None:
        before = self.reports.get(name, LearnerReport())
        self.reports[name] = LearnerReport(did=(*before.did, *did), numbers={**before.numbers, **numbers})


def _made_report(made: Expanded, found: Kept, context: Context) -> LearnerReport:
    numbers = {**made.numbers, "made": float(found.looked_at), "kept": float(len(found.rows))}
    return LearnerReport(did=(*made.reasons, found.words(), *_notes_of(context)), numbers=numbers)


def _notes_of(context: Context) -> Sequence[str]:
    """What its tools could not do as they were asked."""
    notes: Sequence[str] = getattr(context.tools, "notes", ())
    return notes


def _pool(directory: Path, parts: Sequence[Part], given: Sequence[Row]) -> list[PoolExample]:
    """The examples that there is a row of that fits."""
    rows: dict[Origin, list[Row]] = {}
    for row in (given[kept.line] for part in parts for kept in part.rows.rows if not kept.replay):
        rows.setdefault(row.origin, []).append(row)
    entries = [entry for entry in read_pool(directory) if entry.origin in rows]
    return [
        PoolExample(entry.origin, entry.users, entry.weight, tuple(rows[entry.origin]), entry.failures)
        for entry in entries
    ]


def _sft_like(job: TrainJob) -> SftSettings:
    """What a probe trains with where the phase at hand has another loss: the job's own SFT phase, else the defaults."""
    told = [phase.settings for phase in job.phases if phase.method == "sft"]
    return SftSettings.model_validate(told[0]) if told else SftSettings()
