"""Is a batch ripe? Gathers the evidence from the store, asks the policy, and begins an update when it says so.

The policy (`learners.batching`) is pure; this loads what it needs and makes its decision take effect in one
transaction: the update exists if and only if its pool is reserved (I3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from daemon.config import TaskConfig
from daemon.failures import Failures
from daemon.leaks import gate_keys
from daemon.methods_on import methods_on
from daemon.standing import floor_of, standing_of
from learners.batching import BatchDecision, BatchEvidence, decide, measure
from learners.errors import LearnerError
from learners.floor import Floor
from learners.preference import (
    PREFERENCE_METHODS,
    JudgedCounts,
    PreferenceChoice,
    choose_preference,
    count_judged,
    only,
    roles_in_words,
)
from learners.router import Methods, drop_leaks, offer, rows_of
from storage import buffer, decisions, reservations, updates
from storage.errors import StalePool
from storage.folds import fold_secret
from storage.records import Decision, Example, Origin, Row, Update
from storage.store import Store

MOST_OPEN = 5000  # examples looked at for one decision: a flood must not push honest ones out before caps are applied
RECENT_SIGNALS = 200


class Batches:
    """One decision a task and look; the last one is kept for the status."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._failures = Failures(store, clock)
        self._last: dict[str, BatchDecision] = {}
        self._asked: set[str] = set()

    def ask(self, task: str) -> None:
        """An update of what there is, by hand; from any thread. It stands until one of the next looks has answered it:
        an update begins, or a decision says why none can."""
        self._asked.add(task)

    def last(self, task: str) -> BatchDecision | None:
        return self._last.get(task)

    def stop(self) -> None:
        """Nobody's service is asked any more."""
        self._failures.stop()

    def consider(self, task: TaskConfig, tasks: Sequence[str], champion: str, unfinished: Update | None) -> None:
        """Decide, and begin an update against that champion if the batch is ripe and no update is at work.

        For one that was asked for, the fewest are enough and old feedback is news.
        """
        asked = task.name in self._asked
        self._asked.discard(task.name)  # before the look: what is asked for during it is for the next
        answered = False
        try:
            answered = self._look(task, tasks, champion, unfinished, asked=asked)
        except LearnerError as error:  # a golden file that is gone, say: status tells why nothing begins
            self._last[task.name] = _undecided(task, str(error))
            raise
        finally:
            if asked and not answered:
                self._asked.add(task.name)

    def _look(
        self, task: TaskConfig, tasks: Sequence[str], champion: str, unfinished: Update | None, *, asked: bool
    ) -> bool:
        """False where feedback came in between, so that what was decided is not so any more: look again."""
        now = self._clock()
        found = self._store.read(lambda tx: gather(tx, task, tasks, now))
        weighed = weigh(found, task, now, asked=asked)
        if self._failures.look(task, _drawn_first(found, weighed.decision), champion):
            found = self._store.read(lambda tx: gather(tx, task, tasks, now))  # SFT imitates no answer that fails
            weighed = weigh(found, task, now, asked=asked)
        decision = _said(weighed, found.floor, found.news or asked)
        if unfinished is not None:
            decision = replace(
                decision, reason=f"{decision.reason}; update {unfinished.update_id} is {unfinished.state}"
            )
        self._last[task.name] = decision
        if decision.ripe and unfinished is None:
            try:
                self._store.write(lambda tx: _begin(tx, champion, decision, weighed.evidence, now))
            except StalePool:
                return False
        elif asked:
            none = Decision(now, "update", f"asked for by hand, but no update begins: {decision.reason}", task.name)
            self._store.write(lambda tx: decisions.record(tx, none))
        return True


@dataclass(frozen=True)
class Found:
    """What the store knows of a task's batch. `examples` come with their rows, newest first, leaks left out; `secret`
    keys their lots."""

    examples: Sequence[tuple[Example, tuple[Row, ...]]]
    arrivals: Mapping[str, int]
    signals: Sequence[tuple[datetime, float]]
    floor: Floor
    secret: bytes
    news: bool


@dataclass(frozen=True)
class Weighed:
    """The policy's decision, on what, and what was not counted."""

    decision: BatchDecision
    evidence: BatchEvidence
    no_method: Mapping[str, int]
    preference: PreferenceChoice


def _undecided(task: TaskConfig, why: str) -> BatchDecision:
    return BatchDecision(False, 0, task.batching.min, 0, 0, "waiting", f"cannot be looked at: {why}", (), ())


def _drawn_first(found: Found, decision: BatchDecision) -> list[Example]:
    """What would be in the pool, then the rest, each the newest first."""
    pool = set(decision.pool)
    examples = [example for example, _ in found.examples]
    return sorted(examples, key=lambda one: Origin(one.interaction_id, one.revision) not in pool)


def gather(tx: Connection, task: TaskConfig, tasks: Sequence[str], now: datetime) -> Found:
    """Everything the decision depends on, in one read."""
    settled_before = now - timedelta(seconds=task.rewards.settle)
    open_ones = buffer.open_examples(tx, task.name, settled_before=settled_before, limit=MOST_OPEN)
    window = now - timedelta(seconds=task.batching.max_wait)
    return Found(
        examples=_with_rows(tx, task, open_ones, now),
        arrivals={name: buffer.arrivals(tx, name, window) for name in tasks},
        signals=buffer.recent_signals(tx, task.name, RECENT_SIGNALS),
        floor=floor_of(tx, task),
        secret=fold_secret(tx),
        news=_is_news(tx, task.name),
    )


def _with_rows(
    tx: Connection, task: TaskConfig, found: Sequence[Example], now: datetime
) -> list[tuple[Example, tuple[Row, ...]]]:
    """Examples with what they teach, without those of which a row is one that the gate would know again."""
    halved = reservations.half_weighted(tx, task.name, [Origin(e.interaction_id, e.revision) for e in found])
    keys = gate_keys(tx, task)
    standing = standing_of(tx, task, found)
    rows = [(e, rows_of(e, task.rewards, now, Origin(e.interaction_id, e.revision) in halved, standing)) for e in found]
    return [(example, mine) for example, mine in rows if not drop_leaks(mine, keys, task.holdout.split)[1]]


def weigh(found: Found, task: TaskConfig, now: datetime, *, asked: bool = False) -> Weighed:
    """The decision with what a preference method learns from; without where the batch would hold too few for a phase.

    So `have` counts a pair or a disliked answer if and only if the update that it would start trains on such.
    """
    methods, wanted, counts = methods_on(task, found.floor), task.preference, JudgedCounts()
    for name in [method.name for method, _ in methods if method.name in PREFERENCE_METHODS]:
        decided = _decide(found, task, now, only(methods, name), asked)
        counted = set(decided[0].counted)
        rows = [row for _, mine in found.examples for row in mine if row.origin in counted]
        counts = counts.with_more(count_judged(rows, only(methods, name)))
        choice = choose_preference(wanted, counts)
        if choice.method == name:
            return Weighed(*decided, choice)
    decided = _decide(found, task, now, only(methods, None), asked)
    return Weighed(*decided, replace(choose_preference(wanted, counts), method=None))


def _decide(
    found: Found, task: TaskConfig, now: datetime, methods: Methods, asked: bool
) -> tuple[BatchDecision, BatchEvidence, Mapping[str, int]]:
    offered = offer(found.examples, task.rewards, now, methods, found.secret)
    waits = [example.last_signal_at for example, _ in found.examples if example.last_signal_at]
    evidence = measure(
        task.name,
        now,
        task.batching,
        arrivals=found.arrivals,
        signals=found.signals,
        oldest_at=min(waits, default=None),
        examples=offered.examples,
        asked=asked,
    )
    return decide(evidence, task.batching), evidence, offered.no_method


def _is_news(tx: Connection, task: str) -> bool:
    """Whether feedback has been received since the last update, if that one changed nothing: the same batch would end
    the same, and two batches would take turns for ever, each expiring what is held of the other."""
    last = next(iter(updates.list_updates(tx, task, limit=1)), None)
    if last is None or last.state not in ("held", "failed", "cancelled", "rejected", "expired"):
        return True
    return buffer.arrivals(tx, task, last.created_at) > 0


def _said(weighed: Weighed, floor: Floor, news: bool) -> BatchDecision:
    """The decision with what the policy cannot know."""
    decision, reason = weighed.decision, weighed.decision.reason
    if weighed.no_method:
        reason += f"; not counted: {roles_in_words(weighed.no_method, weighed.preference)}"
    if "response" in weighed.no_method:
        reason += f"; SFT's floor: {floor.reason}"
    if decision.ripe and not news:
        reason += "; waiting for new feedback, since the last update changed nothing"
        return replace(decision, ripe=False, state="waiting", reason=reason, pool=(), batch=())
    return replace(decision, reason=reason)


def _begin(tx: Connection, champion: str, decision: BatchDecision, evidence: BatchEvidence, now: datetime) -> Update:
    task = evidence.task
    update = updates.create_update(tx, task, champion, decision.reason, now)
    reservations.reserve(tx, update.update_id, decision.pool, now)
    batch = [[origin.interaction_id, origin.revision] for origin in decision.batch]
    subject = f"update {update.update_id}"
    detail = {
        "have": decision.have,
        "need": decision.need,
        "cap": decision.cap,
        "users": decision.users,
        "batch": len(batch),
        "most_of_one_user": _most_of_one_user(decision, evidence),
    }
    decisions.record(tx, Decision(now, "batch", decision.reason, task, subject, detail=detail))
    sizes = {"pool_size": len(decision.pool), "batch_size": len(batch)}
    limits = {"size": len(batch), "cap": decision.cap}
    return updates.change_update(tx, update, "queued", now, report={"batch": batch, "limits": limits}, **sizes)


def _most_of_one_user(decision: BatchDecision, evidence: BatchEvidence) -> int:
    """How many examples of the batch hold the busiest user's feedback; a number without a name."""
    users = {example.origin: example.users for example in evidence.examples}
    counts = Counter(user for origin in decision.batch for user in users[origin])
    return max(counts.values(), default=0)
