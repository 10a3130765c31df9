"""Intake: what a source handed over becomes durable, in one transaction, positions included.

This conducts and decides nothing: `consumers` decodes, scores and joins (pure), `learners.folds` draws folds (pure),
`storage` does one step each inside the open transaction. Order is a promise (I1, I2): claim the streams first, so
that a zombie loses before it has written anything; then lock, insert, join, dead letters, counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from consumers.decode import dead_letter, decode_batch
from consumers.delays import JoinDelay, join_delays
from consumers.errors import Unreadable
from consumers.joins import JoinSettings, join
from daemon.config import Config
from learners.folds import draw_folds
from storage import folds as fold_store
from storage import intake as intake_store
from storage.asked import which_asked
from storage.dialects.sqlite import in_transaction, is_outage
from storage.errors import StorageError
from storage.records import Claim, DeadLetter, Event, Example, Fold, Raw, Signal, Stream, StreamBatch
from storage.store import Store

Key = tuple[str, str]  # task, interaction_id
UNREADABLE = "unreadable"  # the kind of what could not be read


@dataclass(frozen=True)
class Parcel:
    """What one poll of one source, or one HTTP request, handed over."""

    source: str
    batches: tuple[tuple[StreamBatch, Claim], ...] = ()
    loose: tuple[Raw, ...] = ()  # records without a stream: HTTP
    default_task: str | None = None
    trusted_apps: frozenset[str] = frozenset()

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(len(batch.records) for batch, _ in self.batches) + len(self.loose)

    @property
    def size_bytes(self) -> int:
        streamed = sum(len(raw.data) for batch, _ in self.batches for raw in batch.records)
        return streamed + sum(len(raw.data) for raw in self.loose)


@dataclass(frozen=True)
class Found:
    """What joining found out: signals known now for the first time, with task and kind, those that `ask` had asked for
    apart; and who waited for whom."""

    signals: tuple[tuple[str, str, Signal], ...] = ()
    asked: tuple[tuple[str, str, Signal], ...] = ()
    delays: tuple[tuple[str, JoinDelay], ...] = ()


@dataclass
class Outcome:
    """What became of a parcel; every record is in exactly one of the first three, or its stream is `stale`."""

    stored: int = 0
    duplicates: int = 0
    dead_letters: list[tuple[int, str]] = field(default_factory=list)  # index in the parcel, reason
    unknown_fields: int = 0
    stale: list[Stream] = field(default_factory=list)
    # For metrics: what was stored now, how many of each (kind, outcome), and what joining found out.
    events: list[Event] = field(default_factory=list)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Record:
    """One record on its way: where it came from, and what it decoded to."""

    index: int
    raw: Raw
    stream: Stream | None
    found: Event | DeadLetter

    @property
    def kind(self) -> str:
        return self.found.kind if isinstance(self.found, Event) else UNREADABLE


class Intake:
    """Conducts parcels into the store. Thread-safe: the store has one writer, and nothing is kept here."""

    def __init__(self, store: Store, config: Callable[[], Config], clock: Callable[[], datetime]) -> None:
        self._store, self._config, self._clock = store, config, clock

    def ingest(self, parcel: Parcel) -> Outcome:
        """Returns after the commit. Raises storage.errors.StoreUnavailable when nothing was made durable."""
        records, unknown_fields = self._decode(parcel)
        outcome = self._store.write(lambda tx: self._record(tx, parcel, records), size_bytes=parcel.size_bytes)
        outcome.unknown_fields = unknown_fields
        return outcome

    def _decode(self, parcel: Parcel) -> tuple[list[_Record], int]:
        """Outside the transaction: decoding and scoring need no store and take most of the time."""
        groups: list[tuple[Stream | None, Sequence[Raw]]] = [(b.stream, b.records) for b, _ in parcel.batches]
        groups.append((None, parcel.loose))
        config, records, unknown_fields = self._config(), list[_Record](), 0
        for stream, raws in groups:
            decoded = decode_batch(
                raws,
                default_task=parcel.default_task,
                trusted_apps=parcel.trusted_apps,
                limits=config.limits,
                similarity=config.similarity,
                source=parcel.source,
                stream=stream.key if stream else None,
            )
            unknown_fields += decoded.unknown_fields
            for raw, found in zip(raws, decoded.outcomes, strict=True):
                records.append(_Record(len(records), raw, stream, found))
        return records, unknown_fields

    def _record(self, tx: Connection, parcel: Parcel, records: Sequence[_Record]) -> Outcome:
        outcome = Outcome()
        for batch, claim in sorted(parcel.batches, key=lambda pair: pair[0].stream.key):
            if not intake_store.advance(tx, claim, batch.before, batch.after):
                outcome.stale.append(batch.stream)
        alive = [record for record in records if record.stream not in outcome.stale]
        letters = [(record, record.found) for record in alive if isinstance(record.found, DeadLetter)]
        good = [record for record in alive if isinstance(record.found, Event)]
        letters += self._store_surely(tx, parcel.source, good, outcome)
        intake_store.insert_dead_letters(tx, [letter for _, letter in letters])
        outcome.dead_letters += sorted((record.index, letter.reason) for record, letter in letters)
        outcome.kinds.update((record.kind, "dead_letter") for record, _ in letters)
        intake_store.count(
            tx,
            parcel.source,
            received=len(alive),
            stored=outcome.stored,
            duplicates=outcome.duplicates,
            dead_letters=len(outcome.dead_letters),
        )
        return outcome

    def _store_surely(
        self, tx: Connection, source: str, records: Sequence[_Record], outcome: Outcome
    ) -> list[tuple[_Record, DeadLetter]]:
        """Store all; halve what the store refuses for its content until the bad one stands alone (I7)."""
        if not records:
            return []
        try:
            with tx.begin_nested():
                return self._store_events(tx, source, records, outcome)
        except (StorageError, MemoryError):
            raise  # says nothing about these events
        except Exception as error:
            if is_outage(error) or not in_transaction(tx):
                raise  # disk, lock or connection: nobody's fault, never a dead letter, and maybe all is undone already
            if len(records) == 1:
                return [(records[0], _letter(records[0], source, _refusal(error)))]
        half = len(records) // 2
        first = self._store_surely(tx, source, records[:half], outcome)
        return first + self._store_surely(tx, source, records[half:], outcome)

    def _store_events(
        self, tx: Connection, source: str, records: Sequence[_Record], outcome: Outcome
    ) -> list[tuple[_Record, DeadLetter]]:
        events = [record.found for record in records if isinstance(record.found, Event)]
        places = [(record.stream.key if record.stream else None, record.raw.position) for record in records]
        locked = intake_store.lock_interactions(tx, {(event.task, event.interaction_id) for event in events})
        inserted = intake_store.insert_events(tx, locked, events, places)
        found = self._join(tx, inserted.stored, locked)  # raises before anything is counted
        outcome.stored += len(inserted.stored)
        outcome.duplicates += inserted.duplicates
        outcome.events += inserted.stored
        outcome.found.append(found)
        outcome.kinds += _kinds(events, inserted)
        conflicting = {id(event) for event in inserted.conflicts}
        return [(record, _letter(record, source, CONFLICT)) for record in records if id(record.found) in conflicting]

    def _join(self, tx: Connection, stored: Sequence[Event], locked: intake_store.Locked) -> Found:
        """Join anew what the events touch, draw folds for what is seen first, save."""
        config = self._config()
        keys = {(event.task, event.interaction_id) for event in stored}
        reached = intake_store.interactions_retracted_by(tx, stored) - keys
        drawn = locked.drawn | intake_store.lock_interactions(tx, reached).drawn
        settings = {task: _join_settings(config, task) for task in {task for task, _ in keys}}
        examples: list[Example] = []
        late: dict[str, dict[str, Signal]] = {}
        signals: list[tuple[Key, str, Signal]] = []
        signals += [(_key(event), event.kind, event.signal) for event in stored if event.signal is not None]
        delays: list[tuple[str, JoinDelay]] = []
        now = {event.event_id for event in stored}
        for (task, name), events in intake_store.events_of(tx, keys | reached, stored, locked.new).items():
            joined = join(events, settings[task], config.similarity, name)
            if joined.signals:
                late.setdefault(task, {}).update(joined.signals)
                signals += [((task, name), kind, signal) for kind, signal in _first_known(events, joined.signals)]
            if len(events) > 1:
                delays += [(task, delay) for delay in join_delays(events, now)]
            examples.append(joined.example)
        for task, known in late.items():
            intake_store.save_signals(tx, task, known)
        undrawn = [one for one in examples if (one.task, one.interaction_id) not in drawn]
        intake_store.save_examples(tx, examples, self._folds(tx, undrawn))
        return _found(signals, _asked(tx, keys, locked), delays)

    def _folds(self, tx: Connection, examples: Sequence[Example]) -> Mapping[Key, Fold]:
        """Each example's fold: what its prompt or user was drawn into when first seen."""
        config = self._config()
        folds = draw_folds(
            examples,
            holdout_of=lambda task: (config.task(task) or config).holdout,
            has_validator=lambda task: bool((found := config.task(task)) and found.validator),
            known=lambda task, keys: fold_store.folds_of(tx, task, keys),
            counts=lambda task: fold_store.fold_counts(tx, task),
            secret=fold_store.fold_secret(tx),
        )
        fold_store.save_folds(tx, folds.drawn, self._clock())
        return folds.by_example


def _kinds(events: Sequence[Event], inserted: intake_store.Inserted) -> Counter[tuple[str, str]]:
    """Stored events and duplicates by kind; conflicts become dead letters and are counted as such."""
    stored = Counter(event.kind for event in inserted.stored)
    found: Counter[tuple[str, str]] = Counter({(kind, "stored"): count for kind, count in stored.items()})
    if inserted.duplicates:
        rest = Counter(event.kind for event in events)
        rest -= stored + Counter(event.kind for event in inserted.conflicts)
        found.update({(kind, "duplicate"): count for kind, count in rest.items()})
    return found


def _first_known(events: Sequence[Event], late: Mapping[str, Signal]) -> list[tuple[str, Signal]]:
    """Signals that could be computed only now, because the response came with another event; with their kinds."""
    unknown = [event for event in events if event.signal is None and event.event_id in late]
    return [(event.kind, late[event.event_id]) for event in unknown]


def _key(event: Event) -> Key:
    return event.task, event.interaction_id


def _asked(tx: Connection, keys: Collection[Key], locked: intake_store.Locked) -> frozenset[Key]:
    """The interactions that people were asked to judge; one that is new cannot be among them."""
    known = {locked.ids[key]: key for key in keys if key not in locked.new}
    return frozenset(known[number] for number in which_asked(tx, known))


def _found(
    signals: Sequence[tuple[Key, str, Signal]], asked: Collection[Key], delays: Sequence[tuple[str, JoinDelay]]
) -> Found:
    apart: list[tuple[str, str, Signal]] = []
    rest: list[tuple[str, str, Signal]] = []
    for key, kind, signal in signals:
        (apart if key in asked else rest).append((key[0], kind, signal))
    return Found(tuple(rest), tuple(apart), tuple(delays))


def _join_settings(config: Config, task: str) -> JoinSettings:
    in_force = config.task(task)
    return JoinSettings(aggregate=(in_force.rewards if in_force else config.rewards).aggregate)


CONFLICT = "conflict: this event_id is stored with other content; the first one stays"


def _refusal(error: Exception) -> str:
    """Never the error's own text, which may hold what the event said."""
    return f"it could not be stored, {type(error).__name__}; please report this"


def _letter(record: _Record, source: str, reason: str) -> DeadLetter:
    task = record.found.task
    error = Unreadable(reason, "store", task)
    return dead_letter(record.raw, error, source=source, stream=record.stream.key if record.stream else None)
