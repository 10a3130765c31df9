"""Is a batch ripe? Gathers the evidence from the store, asks the policy, and begins an update when it says so.

The policy (`learners.batching`) is pure; this loads what it needs and makes its decision take effect in one
transaction: the update exists if and only if its pool is reserved (I3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from consumers.cleaning import prompt_key
from daemon.config import TaskConfig
from daemon.methods_on import methods_on
from learners.batching import BatchDecision, BatchEvidence, decide, measure
from learners.router import answer_key, drop_leaks, offer, rows_of
from storage import buffer, decisions, updates
from storage.errors import StalePool
from storage.records import Decision, Example, Origin, Update
from storage.store import Store

MOST_OPEN = 5000  # examples looked at for one decision: a flood must not push honest ones out before caps are applied
RECENT_SIGNALS = 200


class Batches:
    """One decision a task and look; the last one is kept for the status."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._last: dict[str, BatchDecision] = {}

    def last(self, task: str) -> BatchDecision | None:
        return self._last.get(task)

    def consider(self, task: TaskConfig, tasks: Sequence[str], champion: str, unfinished: Update | None) -> None:
        """Decide, and begin an update against that champion if the batch is ripe and no update is at work."""
        now = self._clock()
        evidence, no_method, news = self._store.read(lambda tx: gather(tx, task, tasks, now))
        decision = _said(decide(evidence, task.batching), no_method, news)
        if unfinished is not None:
            decision = replace(
                decision, reason=f"{decision.reason}; update {unfinished.update_id} is {unfinished.state}"
            )
        self._last[task.name] = decision
        if decision.ripe and unfinished is None:
            try:
                self._store.write(lambda tx: _begin(tx, champion, decision, evidence, now))
            except StalePool:
                return  # feedback came in between: look again


def gather(
    tx: Connection, task: TaskConfig, tasks: Sequence[str], now: datetime
) -> tuple[BatchEvidence, Mapping[str, int], bool]:
    """Everything the decision depends on, in one read: evidence, what no method can use, and whether there is news."""
    settled_before = now - timedelta(seconds=task.rewards.settle)
    found = buffer.open_examples(tx, task.name, settled_before=settled_before, limit=MOST_OPEN)
    usable = without_leaks(tx, task, found, now)
    halved = buffer.half_weighted(tx, task.name, [Origin(e.interaction_id, e.revision) for e in usable])
    offered = offer(usable, task.rewards, now, methods_on(task), halved)
    window = now - timedelta(seconds=task.batching.max_wait)
    waits = [example.last_signal_at for example in usable if example.last_signal_at]
    evidence = measure(
        task.name,
        now,
        task.batching,
        arrivals={name: buffer.arrivals(tx, name, window) for name in tasks},
        signals=buffer.recent_signals(tx, task.name, RECENT_SIGNALS),
        oldest_at=min(waits, default=None),
        examples=offered.examples,
    )
    return evidence, offered.no_method, _is_news(tx, task.name)


def without_leaks(tx: Connection, task: TaskConfig, found: Sequence[Example], now: datetime) -> list[Example]:
    """Examples of which no row is one that the gate would know again."""
    keys = _gate_keys(buffer.gate_examples(tx, task.name), task)
    return [
        example for example in found if not drop_leaks(rows_of(example, task.rewards, now), keys, task.holdout.split)[1]
    ]


def _gate_keys(gate: Sequence[Example], task: TaskConfig) -> Collection[str]:
    if task.holdout.split == "prompt":
        return {prompt_key(example.messages) for example in gate}
    texts = [(e.messages, t.text) for e in gate for t in (e.correction, e.demonstration) if t is not None]
    texts += [(e.messages, e.response) for e in gate if e.response]
    return {answer_key(messages, text) for messages, text in texts}


def _is_news(tx: Connection, task: str) -> bool:
    """Whether feedback has been received since the last update, if that one changed nothing: the same batch would end
    the same, and two batches would take turns for ever, each expiring what is held of the other."""
    last = next(iter(updates.list_updates(tx, task, limit=1)), None)
    if last is None or last.state not in ("held", "failed", "cancelled", "rejected", "expired"):
        return True
    return buffer.arrivals(tx, task, last.created_at) > 0


def _said(decision: BatchDecision, no_method: Mapping[str, int], news: bool) -> BatchDecision:
    """The decision with what the policy cannot know."""
    reason = decision.reason
    if no_method:
        reason += "; not counted: " + ", ".join(f"{count} {why} (no method)" for why, count in no_method.items())
    if decision.ripe and not news:
        reason += "; waiting for new feedback, since the last update changed nothing"
        return replace(decision, ripe=False, state="waiting", reason=reason, pool=(), batch=())
    return replace(decision, reason=reason)


def _begin(tx: Connection, champion: str, decision: BatchDecision, evidence: BatchEvidence, now: datetime) -> Update:
    task = evidence.task
    update = updates.create_update(tx, task, champion, decision.reason, now)
    buffer.reserve(tx, update.update_id, decision.pool, now)
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
    return updates.change_update(tx, update, "queued", now, report={"batch": batch}, **sizes)


def _most_of_one_user(decision: BatchDecision, evidence: BatchEvidence) -> int:
    """How many examples of the batch hold the busiest user's feedback; a number without a name."""
    users = {example.origin: example.users for example in evidence.examples}
    counts = Counter(user for origin in decision.batch for user in users[origin])
    return max(counts.values(), default=0)
