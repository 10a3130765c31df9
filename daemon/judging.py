"""An update's judging: evaluate job, gate, verdict, and what the verdict does to adapter, batch and line.

Only evaluate jobs see the gate fold. A verdict takes effect in one transaction: the update's state, the champion, the
fate of the batch, the look and the decision are all there or none is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection

from daemon.config import Config, TaskConfig
from daemon.evaluations import (
    contender,
    evaluate_job,
    kl_of,
    likelihoods_of,
    scores_of,
    yardstick_of,
    yardstick_of_primary,
)
from daemon.evidence import gate_prompts, human_texts, set_prompts, train_pairs
from daemon.failures import Failures
from daemon.jobs import Crashed, Done, Jobs
from daemon.pauses import Pauses
from learners import job as contract
from learners.gate import Judgement, gate_rows, judge, one_row_each, wait_for
from learners.job_files import read_answers, read_result, write_job, write_pairs, write_prompts
from learners.pairwise.head import MIN_PAIRS
from storage import decisions, registry, reservations, updates
from storage.artifacts import Artifacts
from storage.records import Adapter, Decision, Look, Origin, Score, Update, UpdateState
from storage.store import Store

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EngineAt:
    """Where the engine answers, and under which name it serves each adapter."""

    url: str
    names: dict[str, str]


@dataclass(frozen=True)
class _Bench:
    """What one judging needs from the store."""

    champion: Adapter
    candidate: Adapter
    prompts: tuple[contract.Prompt, ...]
    entries: int  # different prompts that the gate holds; more than `prompts` has once those are capped
    looks: tuple[Look, ...]


class Judging:
    """Steps of the updates that are trained or held. Called from the scheduler thread alone."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        jobs: Jobs,
        config: Callable[[], Config],
        clock: Callable[[], datetime],
        engine: Callable[[], EngineAt | None],
    ) -> None:
        self._store, self._artifacts, self._jobs = store, artifacts, jobs
        self._config, self._clock, self._engine = config, clock, engine
        self._failures = Failures(store, clock)
        self._pauses = Pauses(clock)

    def step(self, update: Update, task: TaskConfig) -> None:
        """The next due thing for one candidate."""
        if self._jobs.has(update.update_id):
            self._watch(update, task)
            return
        if not task.gate.enabled:
            self._apply(update, judge((), (), task.gate, seed=update.update_id), ())
            return
        if self._pauses.waits(update.update_id):
            return
        bench = self._store.read(lambda tx: self._bench(tx, update, task))
        wait = wait_for(bench.entries, bench.looks, task.gate, _tried_with(update))
        if not wait.due:
            self._hold(update, f"waits for evidence: {wait.reason}")
        elif (engine := self._engine()) is not None:
            self._start(update, task, bench, engine)

    def expire(self, update: Update, reason: str) -> None:
        """A held candidate gives way to a newer one."""
        self._jobs.cancel(update.update_id)
        self._store.write(lambda tx: self._conclude(tx, update, "expired", reason, "expired"))

    def cancel(self, update: Update) -> None:
        """By an operator; the examples go back."""
        self._jobs.cancel(update.update_id)
        self._store.write(lambda tx: self._conclude(tx, update, "cancelled", "cancelled by hand", "cancelled"))

    def _bench(self, tx: Connection, update: Update, task: TaskConfig) -> _Bench:
        line = registry.line_of(tx, update.task)
        assert line is not None, "a task that has an update has a line"
        assert update.candidate is not None, "an update that is judged has a candidate"
        champion = registry.get_adapter(tx, line.champion)
        candidate = registry.get_adapter(tx, update.candidate)
        assert champion is not None, "a line's champion is registered"
        assert candidate is not None, "a candidate is registered before its update is trained"
        prompts, entries = gate_prompts(tx, task, self._clock())
        return _Bench(champion, candidate, prompts, entries, tuple(updates.looks(tx, update.update_id)))

    def _start(self, update: Update, task: TaskConfig, bench: _Bench, engine: EngineAt) -> None:
        prompts = bench.prompts + set_prompts(task)
        pairs = self._store.read(lambda tx: train_pairs(tx, task, self._clock()))
        both = (
            contender(bench.candidate, self._artifacts, engine.names),
            contender(bench.champion, self._artifacts, engine.names),
        )

        def write(folder: Path, attempt: int) -> None:
            write_prompts(folder, prompts)
            if pairs:
                write_pairs(folder, pairs)
            looks, jobs = bench.looks, folder.parent
            job = evaluate_job(update, attempt, self._config(), task, both, looks, engine.url, jobs)
            if len(pairs) >= MIN_PAIRS:  # the head compares when all is answered: likelihood must not reject before it
                job = job.model_copy(update={"screen": None})
            write_job(folder, job)

        self._jobs.start(update, "evaluate", write)

    def _watch(self, update: Update, task: TaskConfig) -> None:
        progress = self._jobs.look(update)
        if isinstance(progress, Crashed):
            self._crashed(update, progress.reason)
        elif isinstance(progress, Done):
            self._judge(update, task, progress.directory)

    def _judge(self, update: Update, task: TaskConfig, folder: Path) -> None:
        result = read_result(folder)
        assert isinstance(result, contract.EvaluateResult), "a done evaluate job has an evaluate result"
        job = contract.EvaluateJob.model_validate_json((folder / contract.JOB).read_bytes())
        if job.yardstick != yardstick_of(task):
            self._store.write(lambda tx: self._again(tx, update, "the validator was changed meanwhile"))
            return
        if result.outcome == "failed":
            self._crashed(update, result.reason, away=result.try_again)
            return
        rows = gate_rows(read_answers(folder))
        bench, texts = self._store.read(
            lambda tx: (self._bench(tx, update, task), human_texts(tx, task, self._clock()))
        )
        judgement = judge(
            rows,
            bench.looks,
            task.gate,
            seed=update.update_id,
            max_share_per_user=task.batching.max_share_per_user,
            human_texts=texts,
            entries=bench.entries,
            kl=kl_of(update),
            screened=result.screened,
        )
        now, base = self._clock(), bench.candidate.base_hash
        measured = yardstick_of_primary(judgement.primary, job, base)
        by = {} if measured is None else {"yardstick": measured}
        judgement = replace(judgement, report={**judgement.report, **result.preferring, **by})
        scores = [] if result.screened else scores_of(job, rows, now) + likelihoods_of(judgement, job, base, now)
        self._apply(update, judgement, scores, job.champion.name)
        if not result.screened:
            self._failures.judged(task, one_row_each(rows), str(update.candidate), job.champion.name)

    def _crashed(self, update: Update, reason: str, *, away: bool = False) -> None:
        """Evaluations are tried again a bounded number of times; then the update fails and its batch returns.

        Where a service was `away` there is a pause before, so that its restart does not cost a trained candidate."""
        crashes = int(update.report.get("evaluate_crashes", 0)) + 1
        log.warning("evaluation lost", update=update.update_id, task=update.task, reason=reason, attempt=crashes)
        if crashes >= self._config().updates.max_attempts:
            why = f"could not be judged in {crashes} attempts, the last because: {reason}"
            self._store.write(lambda tx: self._conclude(tx, update, "failed", why, "failed"))
            return
        if away:
            self._pauses.begin(update.update_id, crashes)
        report = {**update.report, "evaluate_crashes": crashes}
        self._store.write(lambda tx: updates.change_update(tx, update, update.state, self._clock(), report=report))

    def _hold(self, update: Update, reason: str) -> None:
        if update.state == "trained":
            self._store.write(lambda tx: self._conclude(tx, update, "held", reason, "held"))

    def _apply(
        self,
        update: Update,
        judgement: Judgement,
        scores: Sequence[Score],
        judged_against: str | None = None,
    ) -> None:
        """Only against the champion it was judged against; where that has changed meanwhile, it is judged again, and no
        look is spent. `judged_against` is None where nothing was judged: then it is whoever reigns."""

        def change(tx: Connection) -> None:
            updates.save_scores(tx, scores)
            line = registry.line_of(tx, update.task)
            assert line is not None, "a task that has an update has a line"
            against = judged_against or line.champion
            if line.champion != against:
                self._again(tx, update, f"{against} is no longer the champion")
                return
            if judgement.spent_look:
                updates.save_look(
                    tx, _look(update, judgement, len(updates.looks(tx, update.update_id)) + 1, self._clock())
                )
            if judgement.verdict == "promote":
                self._promote(tx, update, judgement, against)
            elif judgement.verdict == "reject":
                self._conclude(tx, update, "rejected", judgement.reason, "rejected", judgement)
            elif judgement.expires:
                self._conclude(tx, update, "expired", judgement.reason, "expired", judgement)
            else:
                self._conclude(tx, update, "held", judgement.reason, "held", judgement)

        self._store.write(change)

    def _again(self, tx: Connection, update: Update, why: str) -> None:
        """What was measured counts for nothing: the update stays as it is, so the next step judges it."""
        words = f"{why}; judged again"
        decisions.record(tx, Decision(self._clock(), "verdict", words, update.task, update.candidate))

    def _promote(self, tx: Connection, update: Update, judgement: Judgement, against: str) -> None:
        assert update.candidate is not None, "an update that is judged has a candidate"
        if not registry.promote(tx, update.task, update.candidate, against, self._clock()):
            raise AssertionError(f"{against} was the champion a moment ago, in this transaction")
        self._conclude(tx, update, "promoted", judgement.reason, "promoted", judgement)

    def _conclude(
        self,
        tx: Connection,
        update: Update,
        state: UpdateState,
        reason: str,
        outcome: reservations.Outcome,
        judgement: Judgement | None = None,
    ) -> None:
        now = self._clock()
        used = [Origin(str(name), int(revision)) for name, revision in update.report.get("batch", [])]
        released = reservations.release(tx, update.update_id, used, outcome)
        if state in ("rejected", "expired", "cancelled", "failed") and _is_candidate(tx, update):
            assert update.candidate is not None, "what is a candidate has a name"
            registry.reject(tx, update.candidate)
        report = {**update.report, "released": released} | ({"verdict": _report(judgement)} if judgement else {})
        if state == "held":  # it was judged: what went wrong before is no part of the next look's attempts
            report.pop("evaluate_crashes", None)
        updates.change_update(tx, update, state, now, reason=reason, report=report)
        words = f"{state}: {reason}"
        subject = update.candidate or f"update {update.update_id}"
        decisions.record(tx, Decision(now, "verdict", words, update.task, subject, detail={"state": state}))


def _is_candidate(tx: Connection, update: Update) -> bool:
    """Whether what an update made is still to be judged: one that was put into service by hand is not rejected."""
    made = registry.get_adapter(tx, update.candidate) if update.candidate else None
    return made is not None and made.state == "candidate"


def _look(update: Update, judgement: Judgement, number: int, now: datetime) -> Look:
    report = _report(judgement)
    return Look(update.update_id, number, judgement.entries, judgement.verdict, judgement.reason, now, report)


def _tried_with(update: Update) -> int | None:
    """How many different prompts the gate held when a judging found too little to read in them; None where none did."""
    verdict = update.report.get("verdict", {})
    return verdict["entries"] if verdict.get("spent_look") is False else None


def _report(judgement: Judgement) -> dict[str, object]:
    return {
        "verdict": judgement.verdict,
        "primary": judgement.primary,
        "prompts": judgement.prompts,
        "entries": judgement.entries,
        "spent_look": judgement.spent_look,
        "difference": judgement.difference,
        "interval": judgement.interval,
        "champion_score": judgement.champion_score,
        "candidate_score": judgement.candidate_score,
        **judgement.report,
    }
