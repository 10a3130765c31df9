"""From the rows of a job directory to what each phase trains on, with the learners' hooks in between.

In order: every row is encoded, and what does not fit is dropped; the hooks `select` choose the batch from the rest,
where the job leaves that to the worker; what the champion has outgrown is sifted out; the hooks `expand` make more rows
of the rest; the hook `schedule` orders the rows of each phase, or they come in random order. The same directory on the
same machine gives the same plan, also when an attempt is gone on with: what was made is kept in made.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from consumers.cleaning import prompt_key
from consumers.rewards import normalise
from learners.expansion import Guard, Kept, keep, key_of
from learners.hooks import Learner, learners
from learners.hooks.contract import Context, Expanded, PoolExample, Scheduled, Selection
from learners.job import DEV_ROWS, ROWS, BatchLimits, LearnerReport, MadeRows, Phase, PhaseResult, PlanStep, TrainJob
from learners.job_files import read_made, read_pool, read_rows, write_made
from learners.methods import find_method
from learners.methods.sft import SftSettings
from learners.plan import Plan, keep_apart, random_plan, steps_for
from learners.selection import Chosen, choose
from learners.training.bench import Bench
from learners.training.fates import Fates, fates_of
from learners.training.rows import Encoded, Lost, encode
from learners.training.sifting import sift
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


@dataclass(frozen=True, slots=True)
class _Part:
    """One phase's rows: as given, and as encoded; lines count over the whole of rows.jsonl."""

    phase: Phase
    rows: Encoded
    dev: Encoded


def prepare(directory: Path, job: TrainJob, tokenizer: Any, model: Any) -> Prepared:
    """Reads, chooses, encodes and plans. Raises JobFileBroken."""
    hooks = _Hooks(job, model, tokenizer)
    given = read_rows(directory / ROWS)
    parts, batch = _parts(directory, job, tokenizer, given), None
    if job.batch:
        batch = hooks.select(job.batch, _pool(directory, parts, given))
        parts = [_if_enough(replace(part, rows=_only(part.rows, given, set(batch)))) for part in parts]
    sifted = [_sifted(job, part, given, model) for part in parts]
    parts = [part for part, _ in sifted]
    if hooks.expands:
        made = read_made(directory) or _made(directory, hooks, parts, given)
        parts = _with_made(parts, made, job, tokenizer, given)
        given = (*given, *made.rows)
        hooks.add_reports(made.reports)
    planned = [hooks.plan(part, given) for part in parts]
    total, done, benches = sum(len(scheduled.plan.steps) for scheduled in planned), 0, []
    for part, (_, told), scheduled in zip(parts, sifted, planned, strict=True):
        plan, why = scheduled.plan, (*told, *scheduled.reasons)
        rows, dev = part.rows, part.dev
        benches.append(
            Bench(directory, job, part.phase, model, tokenizer, rows, dev, plan, done, total, why, scheduled.stages)
        )
        done += len(plan.steps)
    return Prepared(tuple(benches), hooks.reports, batch, tuple(given), _noise(parts, planned))


def _sifted(job: TrainJob, part: _Part, given: Sequence[Row], model: Any) -> tuple[_Part, tuple[str, ...]]:
    """The phase without rows that are outgrown, and without any where its method cannot learn from those left."""
    rows, told = sift(job, part.rows, model)
    lacks = find_method(part.phase.method).lacks([given[row.line] for row in rows.rows]) if rows.rows else ""
    if lacks:
        rows = Encoded((), {**rows.lost, **{row.line: Lost(lacks, "unseen") for row in rows.rows}})
    return replace(part, rows=rows), told


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


def _parts(directory: Path, job: TrainJob, tokenizer: Any, given: Sequence[Row]) -> list[_Part]:
    given_dev = read_rows(directory / DEV_ROWS)
    parts, line, dev_line = [], 0, 0
    for phase in job.phases:
        end = len(given) if phase.rows is None else line + phase.rows
        dev_end = len(given_dev) if phase.dev_rows is None else dev_line + phase.dev_rows
        rows = encode(tokenizer, given[line:end], job.model.max_context, line)
        dev = encode(tokenizer, given_dev[dev_line:dev_end], job.model.max_context, dev_line)
        parts.append(_Part(phase, rows, dev))
        line, dev_line = end, dev_end
    return parts


def _only(rows: Encoded, given: Sequence[Row], batch: set[Origin]) -> Encoded:
    """The rows of the batch and what is replayed, their weights brought to mean 1 again."""
    kept = [row for row in rows.rows if row.replay or given[row.line].origin in batch]
    weights = normalise([row.weight for row in kept])
    return Encoded(tuple(replace(row, weight=each) for row, each in zip(kept, weights, strict=True)), rows.lost)


def _if_enough(part: _Part) -> _Part:
    """A phase that the batch by default had enough rows for may have too few in the one that was chosen."""
    rows, fewest = part.rows.rows, part.phase.fewest
    signs = Counter(row.desirable for row in rows)
    count = min(signs[True], signs[False]) if part.phase.method == "kto" else len(rows)
    if count >= fewest:
        return part
    why = Lost(f"too few for {part.phase.method} in the chosen batch ({count} of {fewest})", "unseen")
    return replace(part, rows=Encoded((), {**part.rows.lost, **{row.line: why for row in rows}}))


def _made(directory: Path, hooks: _Hooks, parts: Sequence[_Part], given: Sequence[Row]) -> MadeRows:
    """What the learners make of the batch, written down."""
    fresh = [row for part in parts for row in part.rows.rows if not row.replay]
    dev = {prompt_key(row.messages) for row in read_rows(directory / DEV_ROWS)}
    present = {key_of(given[row.line]) for part in parts for row in part.rows.rows}
    made = hooks.expand([replace(given[row.line], weight=row.weight) for row in fresh], present, dev)
    made = made.model_copy(
        update={
            "parents": tuple(fresh[at].line for at in made.parents),
            "gave_way": tuple(fresh[at].line for at in made.gave_way),
        }
    )
    write_made(directory, made)
    return made


def _with_made(
    parts: Sequence[_Part], made: MadeRows, job: TrainJob, tokenizer: Any, given: Sequence[Row]
) -> list[_Part]:
    """Each made row in the first phase that learns from it, weights brought to mean 1 again."""
    gone, found = set(made.gave_way), []
    phase_of = [_taking(job.phases, row) for row in made.rows]
    for part in parts:
        mine = [(at, row) for at, row in enumerate(made.rows) if phase_of[at] is part.phase]
        encoded = [encode(tokenizer, [row], job.model.max_context, len(given) + at) for at, row in mine]
        rows = [row for row in part.rows.rows if row.line not in gone]
        rows += [row for each in encoded for row in each.rows]
        weights = normalise([row.weight for row in rows])
        lost = dict(part.rows.lost)
        for each in encoded:
            lost |= each.lost
        whole = tuple(replace(row, weight=each) for row, each in zip(rows, weights, strict=True))
        found.append(replace(part, rows=Encoded(whole, lost)))
    return found


def _taking(phases: Sequence[Phase], row: Row) -> Phase | None:
    """The phase that learns from a row."""
    for phase in phases:
        method = find_method(phase.method)
        if method.takes(row, method.Settings.model_validate(phase.settings)):
            return phase
    return None


def _noise(parts: Sequence[_Part], planned: Sequence[Scheduled]) -> frozenset[int]:
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
        wishes = {
            name: learner.select(pool, limits.size, self._context(learner, self._job.phases[0]))
            for name, learner in self._on.items()
            if learner.select
        }
        chosen = choose(pool, wishes, budget=limits.size, cap=limits.cap, min_users=limits.min_users)
        for name, wish in wishes.items():
            self._report_choice(name, wish, chosen, limits.size)
        return tuple(pool[place].origin for place in chosen.places)

    @property
    def expands(self) -> bool:
        """Whether a learner that is on makes rows."""
        return any(learner.expand for learner in self._on.values())

    def expand(self, rows: Sequence[Row], present: Collection[str], dev: Collection[str]) -> MadeRows:
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
                taken=lambda row: _taking(self._job.phases, row) is not None,
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

    def plan(self, part: _Part, given: Sequence[Row]) -> Scheduled:
        """Which kept rows each step sees, no prompt twice in a step where the method asks for that."""
        scheduled = self._schedule(part, given)
        if not find_method(part.phase.method).prompt_once:
            return scheduled
        return replace(scheduled, plan=keep_apart(scheduled.plan, [row.prompt_ids for row in part.rows.rows]))

    def _schedule(self, part: _Part, given: Sequence[Row]) -> Scheduled:
        """In random order, or as a learner has it."""
        kept = part.rows.rows
        if not kept:
            return Scheduled(Plan(()), (), (), ("skipped: no row was left",))
        settings: Any = find_method(part.phase.method).Settings.model_validate(part.phase.settings)
        steps = steps_for(len(kept), settings.batch_size, settings.steps)
        for name, learner in self._on.items():
            if learner.schedule:
                rows = [replace(given[row.line], weight=row.weight) for row in kept]
                scheduled = learner.schedule(rows, steps, self._context(learner, part.phase))
                self._report(name, scheduled.reasons, scheduled.numbers)
                return scheduled
        plan = random_plan(len(kept), batch_size=settings.batch_size, steps=steps, seed=self._job.seed)
        return Scheduled(plan, (), (), ())

    def _context(self, learner: Learner, phase: Phase) -> Context:
        settings: Any = find_method(phase.method).Settings.model_validate(phase.settings)
        probing = settings if isinstance(settings, SftSettings) else _sft_like(self._job)
        tools = ModelTools(self._model, self._tokenizer, self._job, probing)
        own = learner.Settings.model_validate(self._job.learners[learner.name])
        return Context(settings=own, batch_size=settings.batch_size, seed=self._job.seed, tools=tools)

    def _report_choice(self, name: str, wish: Selection, chosen: Chosen, size: int) -> None:
        brought = chosen.by.get(name, 0)
        words = f"brought {brought} of the {len(chosen.places)} examples of the batch (it may hold {size})"
        self._report(name, (*wish.reasons, words), {**wish.numbers, "brought": float(brought)})

    def add_reports(self, reports: Mapping[str, LearnerReport]) -> None:
        for name, report in reports.items():
            self._report(name, report.did, report.numbers)

    def _report(self, name: str, did: Sequence[str], numbers: Mapping[str, float]) -> None:
        before = self.reports.get(name, LearnerReport())
        self.reports[name] = LearnerReport(did=(*before.did, *did), numbers={**before.numbers, **numbers})


def _made_report(made: Expanded, found: Kept, context: Context) -> LearnerReport:
    numbers = {**made.numbers, "made": float(found.looked_at), "kept": float(len(found.rows))}
    notes: Sequence[str] = getattr(context.tools, "notes", ())
    return LearnerReport(did=(*made.reasons, found.words(), *notes), numbers=numbers)


def _pool(directory: Path, parts: Sequence[_Part], given: Sequence[Row]) -> list[PoolExample]:
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
