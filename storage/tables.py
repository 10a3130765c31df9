"""The tables, as SQLAlchemy Core sees them; `migrations/` makes them, and a test holds both to one shape.

Why so few indexes: intake pays for each. Event and interaction ids may be random, so exactly one index is ordered by
each of them; everything else grows at its end. An event finds its interaction by the small number `example.id`.
Records are kept as JSON (`storage.records.codec`) beside the columns that queries need.

One file, though it is long: keys and rules run from section to section, and a schema is read as a whole.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.times import UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _required(name: str, kind: Any, *extra: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *extra, nullable=False, **options)


def _counter(name: str) -> Column[Any]:
    return _required(name, BigInteger, server_default=text("0"))


# -- the store itself

# Small facts about the store itself: the secret that draws folds, when it was last opened for writing.
meta = Table("meta", metadata, Column("name", Text, primary_key=True), _required("value", LargeBinary))

# -- what comes in

# One row a stream, with its position; and one a source without streams (HTTP), with counters only (epoch 0).
stream = Table(
    "stream",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("key", Text),
    _required("label", Text),
    Column("position", BigInteger),
    _required("epoch", BigInteger),
    _counter("received"),
    _counter("stored"),
    _counter("duplicates"),
    _counter("dead_letters"),
    _counter("refused"),
    _counter("quarantined"),
    _counter("lost"),
    UniqueConstraint("key"),
)

# `record` is the event as it came; its signal stands in columns, which win, because it can come later.
event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("task", Text),
    _required("event_id", Text),
    _required("example_id", Integer, ForeignKey("example.id")),
    _required("kind", Text),
    _required("content_hash", Text),
    Column("user_id", Text),
    _required("received_at", UtcTime),
    _required("effective_at", UtcTime),
    Column("stream_id", Integer, ForeignKey("stream.id")),
    Column("position", BigInteger),
    Column("signal", Float),
    Column("signal_scorer", Text),
    Column("signal_edit", Float),
    Column("signal_bleu", Float),
    Column("signal_truncated", Boolean),
    _required("record", Text),
    Index("ix_event_example_id", "example_id"),
)
EVENT_GUARDS = (
    Index("uq_event_task_event_id", event.c.task, event.c.event_id, unique=True),
    Index(
        "uq_event_stream_id_position",
        event.c.stream_id,
        event.c.position,
        unique=True,
        sqlite_where=text("stream_id IS NOT NULL"),
    ),
)
Index(
    "ix_event_signal",  # covers `arrivals` and `recent_signals`
    event.c.task,
    event.c.received_at,
    event.c.effective_at,
    event.c.signal,
    sqlite_where=text("signal IS NOT NULL"),
)

# What retractions point at, so that one that came before its target is found when the target comes.
retraction = Table(
    "retraction",
    metadata,
    Column("event_row", Integer, ForeignKey("event.id"), primary_key=True),
    _required("task", Text),
    Column("target_event_id", Text),
    Column("target_interaction_id", Text),
    Index(None, "task", "target_event_id"),
    Index(None, "task", "target_interaction_id"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("reason", Text),
    _required("stage", Text),
    _required("received_at", UtcTime),
    _required("sha256", Text),
    _required("size_bytes", Integer),
    Column("stream", Text),
    Column("position", BigInteger),
    Column("source", Text),
    Column("task", Text),
    _required("excerpt", Text),
)
Index(
    "uq_dead_letter_stream_position",
    dead_letter.c.stream,
    dead_letter.c.position,
    unique=True,
    sqlite_where=text("stream IS NOT NULL"),
)

# -- what may be learned, and what judges

# What may enter a pool, short of being reserved. Spelled once: an index serves only a query that repeats its words.
OPEN = text("labelled AND joined AND NOT withdrawn AND revision > learned_revision AND revision > set_aside_revision")

# One row an interaction that any event named. `rev` is its lock; `revision` is null until its events are joined.
# The fates of revisions: the newest that was learned, that is back at half weight, that was set aside (0: none).
example = Table(
    "example",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("task", Text),
    _required("interaction_id", Text),
    _required("rev", Integer),
    Column("fold", Text),
    Column("revision", Integer),
    Column("labelled", Boolean),
    Column("joined", Boolean),
    Column("withdrawn", Boolean),
    Column("last_signal_at", UtcTime),
    Column("effective_at", UtcTime),
    _required("learned_revision", Integer, server_default=text("0")),
    _required("half_weight_revision", Integer, server_default=text("0")),
    _required("set_aside_revision", Integer, server_default=text("0")),
    Column("set_aside_reason", Text),
    Column("record", Text),
    Column("answer_key", Text),  # the same for the same text to the same prompt (`storage.votes`)
    Column("prompt_key", Text),  # of the gate fold alone: the same for the same prompt (`storage.records.prompts`)
    UniqueConstraint("task", "interaction_id"),
)
Index("ix_example_open", example.c.task, example.c.fold, example.c.effective_at, sqlite_where=OPEN)
Index(
    "ix_example_state",  # covers `buffer_counts` and finds the newest of each fold
    example.c.task,
    example.c.fold,
    example.c.effective_at,
    example.c.labelled,
    example.c.joined,
    example.c.withdrawn,
    example.c.revision,
    example.c.learned_revision,
    example.c.set_aside_revision,
    sqlite_where=text("revision IS NOT NULL"),
)
Index(
    "ix_example_gate_prompt",  # covers `gate_prompts` and finds the newest of each prompt
    example.c.task,
    example.c.prompt_key,
    example.c.effective_at,
    example.c.labelled,
    example.c.joined,
    example.c.withdrawn,
    example.c.revision,
    sqlite_where=text("prompt_key IS NOT NULL"),
)

# Interactions that people were asked to judge: what they say is learned, and counted apart (`storage.asked`).
asked = Table(
    "asked",
    metadata,
    Column("example_id", Integer, ForeignKey("example.id"), primary_key=True),
    _required("asked_at", UtcTime),
    _required("last_asked_at", UtcTime),
)

# Which fold a prompt or user was drawn into, once and for all; and how many each fold holds.
fold = Table(
    "fold",
    metadata,
    Column("task", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _required("fold", Text),
    _required("drawn_at", UtcTime),
    sqlite_with_rowid=False,
)
fold_count = Table(
    "fold_count",
    metadata,
    Column("task", Text, primary_key=True),
    Column("fold", Text, primary_key=True),
    _required("entries", Integer),
    sqlite_with_rowid=False,
)

# -- what is tried

# `updates`, because UPDATE is a word of SQL.
updates = Table(
    "updates",
    metadata,
    Column("update_id", Integer, primary_key=True),
    _required("task", Text),
    _required("state", Text),
    _required("lease_epoch", Integer),
    _required("attempts", Integer),
    _required("pool_size", Integer),
    _required("batch_size", Integer),
    _required("champion", Text),
    Column("candidate", Text),
    _required("reason", Text),
    _required("created_at", UtcTime),
    _required("changed_at", UtcTime),
    _required("report", Text),
    Index("ix_updates_task_state", "task", "state"),
    sqlite_autoincrement=True,
)
Index("uq_updates_held", updates.c.task, unique=True, sqlite_where=text("state = 'held'"))

# `state`: live, learned, returned or set_aside. The partial unique index is promise I3. Spelled once, as OPEN is.
TAKEN = text("reservation.state IN ('live', 'learned')")
reservation = Table(
    "reservation",
    metadata,
    Column("update_id", Integer, ForeignKey("updates.update_id"), primary_key=True),
    Column("example_id", Integer, ForeignKey("example.id"), primary_key=True),
    _required("revision", Integer),
    _required("state", Text),
    _required("used", Boolean),
    _required("reserved_at", UtcTime),
)
Index(
    "uq_reservation_live",
    reservation.c.example_id,
    reservation.c.revision,
    unique=True,
    sqlite_where=text("state IN ('live', 'learned')"),
)

job = Table(
    "job",
    metadata,
    Column("job_id", Integer, primary_key=True),
    _required("update_id", Integer, ForeignKey("updates.update_id")),
    _required("kind", Text),
    _required("state", Text),
    _required("attempt", Integer),
    _required("lease_epoch", Integer),
    _required("directory", Text),
    _required("created_at", UtcTime),
    _required("changed_at", UtcTime),
    Column("error", Text),
    UniqueConstraint("update_id", "kind", "attempt"),
    sqlite_autoincrement=True,
)

look = Table(
    "look",
    metadata,
    Column("update_id", Integer, ForeignKey("updates.update_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    _required("prompts", Integer),
    _required("verdict", Text),
    _required("reason", Text),
    _required("at", UtcTime),
    _required("report", Text),
)

# -- what serves

adapter = Table(
    "adapter",
    metadata,
    Column("name", Text, primary_key=True),
    _required("task", Text),
    _required("version", Integer),
    _required("base_hash", Text),
    Column("parent", Text),
    Column("update_id", Integer, ForeignKey("updates.update_id")),
    _required("created_at", UtcTime),
    _required("state", Text),
    Column("directory", Text),
    _required("files", Text),
    _required("manifest", Text),
    UniqueConstraint("task", "version"),
)
# Promise I4: one champion a line.
Index("uq_adapter_champion", adapter.c.task, adapter.c.base_hash, unique=True, sqlite_where=text("state = 'champion'"))

line = Table(
    "line",
    metadata,
    Column("task", Text, primary_key=True),
    Column("base_hash", Text, primary_key=True),
    _required("champion", Text, ForeignKey("adapter.name")),
    _required("since", UtcTime),
    _required("created_at", UtcTime),
)

# Who was champion from when, so that a roll-back knows where to.
reign = Table(
    "reign",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("task", Text),
    _required("base_hash", Text),
    _required("adapter", Text, ForeignKey("adapter.name")),
    _required("since", UtcTime),
    _required("reason", Text),
    Index(None, "task", "base_hash"),
)

score = Table(
    "score",
    metadata,
    Column("adapter", Text, ForeignKey("adapter.name"), primary_key=True),
    Column("metric", Text, primary_key=True),
    _required("value", Float),
    _required("count", Integer),
    _required("at", UtcTime),
    Column("yardstick", Text),
)

# -- what was decided

decision = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("at", UtcTime),
    _required("kind", Text),
    Column("task", Text),
    Column("subject", Text),
    _required("actor", Text),
    _required("reason", Text),
    _required("detail", Text),
    Index(None, "task", "kind"),
    sqlite_autoincrement=True,
)

# -- what answers fail in

# Kinds of failure, and how many answers of each adapter failed in each. `kind` '' counts all that were judged; `source`
# is `feedback` or `gate`. `words` of a cluster of prompts: hashes as JSON.
failure = Table(
    "failure",
    metadata,
    Column("task", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    _required("count", Integer),
    _required("first_seen_at", UtcTime),
    _required("last_seen_at", UtcTime),
    _required("state", Text),
    _required("state_since", UtcTime),
    _required("words", Text),
)
failure_tally = Table(
    "failure_tally",
    metadata,
    Column("task", Text, primary_key=True),
    Column("adapter", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    _required("number", Integer),
)
# What one example fails in, as of its feedback then: later feedback has it looked at again.
diagnosis = Table(
    "diagnosis",
    metadata,
    Column("example_id", Integer, ForeignKey("example.id"), primary_key=True),
    _required("last_signal_at", UtcTime),
    _required("kinds", Text),
)

# -- searches for settings

# The tuner's: `study.knobs` and `best` are JSON, as are a tuning's settings. Optuna's own journal holds the trials.
study = Table(
    "study",
    metadata,
    Column("study_id", Integer, primary_key=True),
    _required("task", Text),
    _required("method", Text),
    _required("base_hash", Text),
    _required("state", Text),
    _required("wanted", Integer),
    _required("done", Integer),
    _required("crashes", Integer),
    _required("rows", Integer),
    _required("knobs", Text),
    _required("best", Text),
    _required("reason", Text),
    _required("created_at", UtcTime),
    _required("changed_at", UtcTime),
    Column("yardstick", Text),
    sqlite_autoincrement=True,
)
Index("uq_study_open", study.c.task, unique=True, sqlite_where=text("state = 'open'"))

tuning = Table(
    "tuning",
    metadata,
    Column("task", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    _required("method", Text),
    _required("base_hash", Text),
    _required("settings", Text),
    _required("configured", Text),
    _required("since", UtcTime),
    _required("reason", Text),
    _required("actor", Text),
    Column("study_id", Integer, ForeignKey("study.study_id")),
    _required("evidence", Text),
)
