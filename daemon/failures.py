"""Keeps the store of failures of the tasks for which `learners.hard_negatives` is on.

At every look at a batch the examples that came, or were judged anew, since the last look are examined: a bounded number
and a bounded time, in the scheduler and never while events are taken in, in the order given. A validator that is a
service is asked apart from the scheduler (`daemon.validating`), and what it said is examined at the next look. What a
gate judged is counted when its verdict has been given. The policy is `learners.failures`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from consumers.cleaning import last_asked
from daemon.config import TaskConfig, ValidatorChoice
from daemon.validating import Texts, Validating
from learners.failures import CHECK, Findings, examine, failed_checks, in_states
from learners.gate import GateRow
from learners.validators import Validator, ValidatorUnavailable, asks_a_service, open_validator
from storage import asked, decisions, failures, registry
from storage.records import Decision, Example, Failure, Origin
from storage.store import Store

log = structlog.get_logger(__name__)

LEARNER = "hard_negatives"
AT_ONCE = 200  # examples a look
LONGEST_S = 0.2  # after which a look leaves the rest to the next
AWAY_FOR = timedelta(minutes=1)  # before a validator that gave no score is asked again
TOLD = ("fixed", "back again")  # states that are worth a decision


class Failures:
    """Called from the scheduler thread alone."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._examined: dict[str, dict[str, datetime]] = {}  # by task and interaction, as of its last feedback
        self._away_until: dict[str, datetime] = {}  # of tasks whose validator gave no score
        self._unscored: dict[str, Counter[str]] = {}  # how often it gave none, by task and interaction that waits
        self._services = Validating()

    def look(self, task: TaskConfig, examples: Sequence[Example], champion: str) -> bool:
        """Examine what of these has not been yet; nothing where the learner is off. Returns whether any was."""
        if not task.learners.on(LEARNER):
            return False
        judged = {e.interaction_id: e for e in examples if e.response is not None and e.last_signal_at is not None}
        known = self._known(task.name, judged)
        waiting = [e for name, e in judged.items() if known.get(name) != e.last_signal_at]
        now = {} if not waiting or self._away(task.name) else self._examined_now(task, waiting, champion)
        self._examined[task.name] = {name: at for name, at in (known | now).items() if name in judged}
        return bool(now)

    def stop(self) -> None:
        """No service is asked any more."""
        self._services.stop()

    def judged(self, task: TaskConfig, rows: Sequence[GateRow], candidate: str, champion: str) -> None:
        """Count what the gate saw: of the champion judged against, and of the candidate if it took its place."""
        if not task.learners.on(LEARNER):
            return
        seen = {
            champion: failed_checks(row.champion.checks for row in rows),
            candidate: failed_checks(row.candidate.checks for row in rows),
        }

        def change(tx: Connection) -> None:
            line = registry.line_of(tx, task.name)
            assert line is not None, "a task that has an update has a line"
            for adapter in {champion, line.champion} & seen.keys():
                failed, number = seen[adapter]
                if number:
                    failures.set_gate_tally(tx, task.name, adapter, failed, number)
            _settle(tx, task.name, line.champion, self._clock())

        self._store.write(change)

    def _examined_now(self, task: TaskConfig, waiting: Sequence[Example], champion: str) -> dict[str, datetime]:
        """What was examined, as of its last feedback: nothing while the validator is away, which must not hold up the
        batch."""
        choice = task.validator
        if choice is not None and asks_a_service(choice.name):
            return self._examined_by_service(task, choice, waiting, champion)
        try:
            validator = open_validator(choice.name, choice.settings) if choice else None
            return self._examine(task, waiting[:AT_ONCE], validator, champion, LONGEST_S)
        except ValidatorUnavailable as error:
            self._leave_alone(task.name, error)
            return {}

    def _examined_by_service(
        self, task: TaskConfig, choice: ValidatorChoice, waiting: Sequence[Example], champion: str
    ) -> dict[str, datetime]:
        """What the service had said by now; about the rest it is asked meanwhile.

        What it gave no score for comes last then: one answer that it always stumbles over must not keep it from all
        others.
        """
        look, examined = self._services.take(task.name), dict[str, datetime]()
        if look is not None and look.choice == choice:
            said = [example for example in waiting if _texts(example) in look.scores]
            examined = self._examine(task, said, look, champion, math.inf) if said else {}
            self._note_unscored(task.name, waiting, look.unscored)
            for error in look.errors:
                self._leave_alone(task.name, error)
        stumbled = self._unscored.get(task.name, Counter())
        rest = [example for example in waiting if example.interaction_id not in examined]
        rest.sort(key=lambda example: stumbled[example.interaction_id])
        if rest and not self._away(task.name):
            self._services.begin(task.name, choice, [_texts(example) for example in rest[:AT_ONCE]])
        return examined

    def _note_unscored(self, task: str, waiting: Sequence[Example], texts: Collection[Texts]) -> None:
        before = self._unscored.get(task, Counter())
        names = Counter(example.interaction_id for example in waiting if _texts(example) in texts)
        self._unscored[task] = Counter({e.interaction_id: before[e.interaction_id] for e in waiting}) + names

    def _examine(
        self, task: TaskConfig, waiting: Sequence[Example], validator: Validator | None, champion: str, longest_s: float
    ) -> dict[str, datetime]:
        """Returns as of when each was examined that there was time for. The work is done outside of the store."""
        now = self._clock()
        before = self._store.read(lambda tx: _before(tx, task.name, waiting))
        named = [(e, e.adapter if e.adapter in before.adapters else champion) for e in waiting]
        found = examine(
            _in_time(named, longest_s), before.known, before.kinds, task.rewards, validator, now, before.asked
        )

        def keep(tx: Connection) -> None:
            _keep(tx, task.name, found)
            _settle(tx, task.name, champion, now)

        self._store.write(keep)
        return {one.interaction_id: one.last_signal_at for one in found.diagnoses}

    def _leave_alone(self, task: str, error: Exception) -> None:
        """Raises what is not the service's fault."""
        if not isinstance(error, ValidatorUnavailable):
            raise error
        self._away_until[task] = self._clock() + AWAY_FOR
        log.warning("failures wait for the validator", task=task, reason=str(error))

    def _away(self, task: str) -> bool:
        """Whether its validator gave no score a moment ago."""
        until = self._away_until.get(task)
        return until is not None and self._clock() < until

    def _known(self, task: str, examples: Collection[str]) -> dict[str, datetime]:
        """As of which feedback each was examined; asked of the store once after a start."""
        if task not in self._examined:
            return self._store.read(lambda tx: failures.diagnosed_at(tx, task, examples))
        return self._examined[task]


def kinds_to_fill(tx: Connection, task: TaskConfig, origins: Collection[Origin]) -> Mapping[str, tuple[str, ...]]:
    """In which kinds of failure that are not fixed those examples fail, by interaction; nothing where it is off."""
    if not task.learners.on(LEARNER):
        return {}
    return _open_kinds(tx, task.name, {origin.interaction_id for origin in origins})


def failing_checks(tx: Connection, task: TaskConfig, interactions: Collection[str]) -> frozenset[str]:
    """Those of them whose answer fails a check of the task's validator, of a kind that is not fixed.

    None where the learner is off, or the task has no validator. What has not been examined yet is not among them.
    """
    if not task.checks_answers:
        return frozenset()
    found = _open_kinds(tx, task.name, interactions)
    return frozenset(name for name, kinds in found.items() if any(kind.startswith(CHECK) for kind in kinds))


def _open_kinds(tx: Connection, task: str, interactions: Collection[str]) -> dict[str, tuple[str, ...]]:
    fixed = {one.kind for one in failures.list_failures(tx, task) if one.state == "fixed"}
    found = failures.kinds_of(tx, task, interactions)
    return {name: tuple(kind for kind in kinds if kind not in fixed) for name, kinds in found.items()}


@dataclass(frozen=True)
class _Before:
    """What the store knew before a look: the kinds of failure, those of the examples, who can have answered, and what
    people were asked about."""

    known: Mapping[str, Failure]
    kinds: Mapping[str, tuple[str, ...]]
    adapters: frozenset[str]
    asked: frozenset[str]


def _before(tx: Connection, task: str, examples: Sequence[Example]) -> _Before:
    names = {example.interaction_id for example in examples}
    return _Before(
        known={one.kind: one for one in failures.list_failures(tx, task)},
        kinds=failures.kinds_of(tx, task, names),
        adapters=frozenset(adapter.name for adapter in registry.list_adapters(tx, task)),
        asked=asked.asked_about(tx, task, names),
    )


def _texts(example: Example) -> Texts:
    """What a validator is asked about, as `learners.failures.examine` asks it."""
    return last_asked(example.messages), example.response or ""


def _in_time(examples: Sequence[tuple[Example, str]], longest_s: float) -> Iterator[tuple[Example, str]]:
    until = time.monotonic() + longest_s
    for at, example in enumerate(examples):
        if at and time.monotonic() > until:
            return
        yield example


def _keep(tx: Connection, task: str, found: Findings) -> None:
    failures.save_diagnoses(tx, task, found.diagnoses)
    failures.save_failures(tx, list(found.kinds.values()))
    for adapter, failed in found.failed.items():
        failures.add_to_tally(tx, task, adapter, failed, found.judged[adapter])


def _settle(tx: Connection, task: str, champion: str, now: datetime) -> None:
    """Bring every kind to the state that the counts put it in."""
    changed = in_states(failures.list_failures(tx, task), failures.tallies(tx, task), champion, now)
    failures.save_failures(tx, changed)
    for one in changed:
        if one.state in TOLD:
            words = f"{one.kind} is {one.state}, {one.count} examples in all"
            decisions.record(tx, Decision(now, "failure", words, task, champion))
