"""What one attempt at an update trains on: read from the store, sorted into phases by the policies of `learners`.

The trainer sees the train and dev folds and nothing else, and of those nothing that the gate would know again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from consumers.rewards import decay
from daemon.config import TaskConfig
from daemon.failures import kinds_to_fill
from daemon.leaks import every_key, gate_keys
from daemon.methods_on import methods_on
from daemon.standing import floor_of, standing_of
from learners.floor import Floor
from learners.hooks import learners
from learners.job import Pooled
from learners.methods import find_method
from learners.plan import steps_for
from learners.preference import PhaseRows, Sorted, count_rows, roles_in_words, sort_rows, with_replay
from learners.replay import StartEvidence, measure_row, sample_replay
from learners.router import drop_leaks, rows_of
from storage import buffer, registry, reservations, updates
from storage.records import Adapter, Example, Origin, Row, Update

MOST_LEARNED = 2000  # learned examples that replay is drawn from
MOST_DEV = 200
MOST_TIMED = 20


@dataclass(frozen=True)
class Material:
    """What one attempt is made of. `leaks` are rows that were left out because the gate would know them again.

    `pool` is what the worker chooses the batch from, empty where no learner has a say in that; then the rows are those
    of the whole pool, and `default` is the batch that would be taken without such a learner. `gate_keys` are what rows
    that a learner makes may not be, empty where none does. `trust` is that in the task's users, in words; `floor` is
    SFT's.
    """

    sorted: Sorted
    champion: Adapter
    version: int
    leaks: int
    trust: str
    floor: Floor
    pool: tuple[Pooled, ...] = ()
    gate_keys: tuple[str, ...] = ()
    default: frozenset[Origin] = frozenset()

    @property
    def sizes(self) -> dict[str, int]:
        """How many new rows each phase has, or will have, as far as is known before a learner has chosen."""
        return {phase.method: self._taken(phase.batch) for phase in self.sorted.phases}

    def _taken(self, rows: Sequence[Row]) -> int:
        return sum(not self.pool or row.origin in self.default for row in rows)

    @property
    def batch(self) -> list[Row]:
        return [row for phase in self.sorted.phases for row in phase.batch]

    @property
    def learned(self) -> list[Row]:
        return [row for phase in self.sorted.phases for row in phase.learned]


def gather(tx: Connection, update: Update, task: TaskConfig, now: datetime) -> Material:
    """From the update's pool, what was learned before, and the dev fold."""
    pool = dict(reservations.reserved_examples(tx, update.update_id))
    batch = [origin for entry in update.report["batch"] if (origin := Origin(*entry)) in pool]
    chosen = [*pool] if chooses(task) else batch
    halved = reservations.half_weighted(tx, update.task, chosen)
    new = {origin.interaction_id for origin in chosen}
    learned = [e for e in buffer.learned_examples(tx, update.task, MOST_LEARNED) if e.interaction_id not in new]
    judging = buffer.dev_examples(tx, update.task, MOST_DEV)
    keys = gate_keys(tx, task)
    standing, floor = standing_of(tx, task, [*pool.values(), *learned, *judging]), floor_of(tx, task)

    def rows(example: Example, half_weight: bool = False) -> tuple[Row, ...]:
        return rows_of(example, task.rewards, now, half_weight, standing)

    fresh, leaked = _kept([row for o in chosen for row in rows(pool[o], o in halved)], keys, task)
    again, leaked_again = _kept([row for e in learned for row in rows(e)], keys, task)
    default = frozenset(Origin(one.interaction_id, pool[one].revision) for one in batch)  # as rows have it
    counted = [row for row in fresh if row.origin in default]
    dev = [row for e in judging for row in rows(e)]
    champion = registry.get_adapter(tx, update.champion)
    assert champion is not None, "an update's champion is registered before the update is made"
    return Material(
        sorted=sort_rows(fresh, again, dev, methods_on(task, floor), task.preference, counted),
        champion=champion,
        version=registry.next_version(tx, update.task),
        leaks=leaked + leaked_again,
        trust=standing.trust.words() if task.rewards.trust else "off",
        floor=floor,
        pool=pooled([pool[o] for o in chosen], fresh, kinds_to_fill(tx, task, chosen)) if chooses(task) else (),
        gate_keys=tuple(sorted(every_key(tx, task))) if makes(task) else (),
        default=default,
    )


def chooses(task: TaskConfig) -> bool:
    """Whether a learner that is on has a say in what goes into the batch."""
    on = any(learner.select and task.learners.on(name) for name, learner in learners().items())
    return on and not find_method(task.method).alone


def makes(task: TaskConfig) -> bool:
    """Whether a learner that is on makes more rows of a batch."""
    on = any(learner.expand and task.learners.on(name) for name, learner in learners().items())
    return on and not find_method(task.method).alone


def pooled(
    examples: Sequence[Example], rows: Sequence[Row], failures: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> tuple[Pooled, ...]:
    """What the worker chooses from: the examples of which there is a row, with their kinds of failure by interaction.
    Their users become numbers that mean nothing outside this job."""
    heaviest: dict[Origin, float] = {}
    for row in rows:
        heaviest[row.origin] = max(row.weight, heaviest.get(row.origin, 0.0))
    numbers: dict[str, int] = {}
    return tuple(
        Pooled(
            origin=origin,
            users=tuple(numbers.setdefault(user, len(numbers)) for user in example.users),
            weight=heaviest[origin],
            failures=failures.get(example.interaction_id, ()),
        )
        for example in examples
        if (origin := Origin(example.interaction_id, example.revision)) in heaviest
    )


def _kept(rows: Sequence[Row], keys: Collection[str], task: TaskConfig) -> tuple[list[Row], int]:
    """The gate may have grown since the batch was reserved or learned."""
    kept, leaked = drop_leaks(rows, keys, task.holdout.split)
    return list(kept), leaked


def phases_of(material: Material, task: TaskConfig, replay: int, seed: int) -> tuple[PhaseRows, ...]:
    """What each phase trains on, with what is drawn for replay."""
    without = {row.origin.interaction_id for row in material.batch}
    drawn = sample_replay(material.learned, replay, seed, without=without)
    return with_replay(material.sorted.phases, drawn, task.preference)


def timed_runs(tx: Connection, champion: Adapter) -> list[tuple[float, int]]:
    """(seconds of training, rows trained, once a step) of the updates on the champion's base, the newest first.

    Without those that went on from a checkpoint: their seconds are of the last attempt alone.
    """
    of_base = {
        one.update_id for one in registry.list_adapters(tx, champion.task) if one.base_hash == champion.base_hash
    }
    found = [one for one in updates.list_updates(tx, champion.task, limit=MOST_TIMED) if one.update_id in of_base]
    trained = [one.report.get("training", {}) for one in found if "resumed" not in one.report]
    return [(_train_s(run), sum(phase.get("trained", 0) for phase in run.get("phases", ()))) for run in trained]


def _train_s(run: Mapping[str, Any]) -> float:
    return float(run.get("seconds", {}).get("train", 0.0))


def start_evidence(
    tx: Connection,
    phases: Sequence[PhaseRows],
    sizes: Mapping[str, int],
    champion: Adapter,
    task: TaskConfig,
    now: datetime,
    budget_s: float,
) -> StartEvidence:
    """By which `learners.replay` chooses where a training of these rows starts; `sizes` are the new rows by method."""
    learned = [row for phase in phases for row in phase.learned]
    effective = sum(decay(row.effective_at, now, task.rewards.half_life) for row in learned)
    return StartEvidence(
        champion_is_base=champion.directory is None,
        batch_rows=sum(sizes.values()),
        learned_rows=len(learned),
        learned_effective=effective,
        row_s=measure_row(timed_runs(tx, champion)),
        passes=row_passes(phases, sizes, task, effective),
        budget_s=budget_s,
    )


def row_passes(phases: Sequence[PhaseRows], sizes: Mapping[str, int], task: TaskConfig, replay: float) -> float:
    """How often a row is trained on, on average over the phases, when `replay` learned rows go with the batch."""
    settings: dict[str, Any] = {method.name: settings for method, settings in methods_on(task)}
    share = replay / max(1, sum(len(phase.learned) for phase in phases))
    rows = {phase.method: sizes[phase.method] + round(share * len(phase.learned)) for phase in phases}
    trained = sum(_trained_on(count, settings[method]) for method, count in rows.items() if count)
    return trained / max(1, sum(rows.values()))


def _trained_on(rows: int, settings: Any) -> int:
    if not hasattr(settings, "batch_size"):  # noop
        return rows
    batch_size: int = settings.batch_size
    return steps_for(rows, batch_size, settings.steps) * min(rows, batch_size)


def nothing_left(material: Material) -> str:
    """Why there is nothing to train on."""
    found = material.sorted
    if found.no_method:
        return f"no method learns from what is left of the batch: {roles_in_words(found.no_method, found.preference)}"
    return "nothing of the batch can be learned any more: it was retracted, aged out or is known to the gate"


def routing(material: Material, phases: Sequence[PhaseRows]) -> dict[str, object]:
    """For the report: how many rows went where, and why."""
    found = material.sorted
    return {
        "rows": count_rows(phases),
        "no_method": dict(found.no_method),
        "gave_way": dict(found.gave_way),
        "leaks": material.leaks,
        "preference": found.preference.reason,
        "trust": material.trust,
        "floor": material.floor.reason,
    }
