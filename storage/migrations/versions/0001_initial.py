"""The first schema. Written once and left alone: later changes are revisions of their own.

There is no way down; a store is restored from a backup instead.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
    )
    op.create_index(
        "uq_dead_letter_stream_position",
        "dead_letter",
        ["stream", "position"],
        unique=True,
        sqlite_where=sa.text("stream IS NOT NULL"),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_decision_task_kind"), "decision", ["task", "kind"], unique=False)
    op.create_table(
        "example",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("interaction_id", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("fold", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("labelled", sa.Boolean(), nullable=True),
        sa.Column("joined", sa.Boolean(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=True),
        sa.Column("last_signal_at", sa.BigInteger(), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=True),
        sa.Column("learned_revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("half_weight_revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("set_aside_revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("set_aside_reason", sa.Text(), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_example")),
        sa.UniqueConstraint("task", "interaction_id", name=op.f("uq_example_task_interaction_id")),
    )
    op.create_index(
        "ix_example_open",
        "example",
        ["task", "fold", "effective_at"],
        unique=False,
        sqlite_where=sa.text(
            "labelled AND joined AND NOT withdrawn AND revision > learned_revision AND revision > set_aside_revision"
        ),
    )
    op.create_index(
        "ix_example_state",
        "example",
        [
            "task",
            "fold",
            "effective_at",
            "labelled",
            "joined",
            "withdrawn",
            "revision",
            "learned_revision",
            "set_aside_revision",
        ],
        unique=False,
        sqlite_where=sa.text("revision IS NOT NULL"),
    )
    op.create_table(
        "fold",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fold", sa.Text(), nullable=False),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task", "key", name=op.f("pk_fold")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fold_count",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("fold", sa.Text(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task", "fold", name=op.f("pk_fold_count")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "stream",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("dead_letters", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream")),
        sa.UniqueConstraint("key", name=op.f("uq_stream_key")),
    )
    op.create_table(
        "updates",
        sa.Column("update_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("pool_size", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("update_id", name=op.f("pk_updates")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_updates_task_state", "updates", ["task", "state"], unique=False)
    op.create_index("uq_updates_held", "updates", ["task"], unique=True, sqlite_where=sa.text("state = 'held'"))
    op.create_table(
        "adapter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("base_hash", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("update_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=True),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["update_id"], ["updates.update_id"], name=op.f("fk_adapter_update_id")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_adapter")),
        sa.UniqueConstraint("task", "version", name=op.f("uq_adapter_task_version")),
    )
    op.create_index(
        "uq_adapter_champion", "adapter", ["task", "base_hash"], unique=True, sqlite_where=sa.text("state = 'champion'")
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("stream_id", sa.Integer(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("signal", sa.Float(), nullable=True),
        sa.Column("signal_scorer", sa.Text(), nullable=True),
        sa.Column("signal_edit", sa.Float(), nullable=True),
        sa.Column("signal_bleu", sa.Float(), nullable=True),
        sa.Column("signal_truncated", sa.Boolean(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"], name=op.f("fk_event_example_id")),
        sa.ForeignKeyConstraint(["stream_id"], ["stream.id"], name=op.f("fk_event_stream_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_example_id", "event", ["example_id"], unique=False)
    op.create_index(
        "ix_event_signal",
        "event",
        ["task", "received_at", "effective_at", "signal"],
        unique=False,
        sqlite_where=sa.text("signal IS NOT NULL"),
    )
    op.create_index(
        "uq_event_stream_id_position",
        "event",
        ["stream_id", "position"],
        unique=True,
        sqlite_where=sa.text("stream_id IS NOT NULL"),
    )
    op.create_index("uq_event_task_event_id", "event", ["task", "event_id"], unique=True)
    op.create_table(
        "job",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("update_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["update_id"], ["updates.update_id"], name=op.f("fk_job_update_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job")),
        sa.UniqueConstraint("update_id", "kind", "attempt", name=op.f("uq_job_update_id_kind_attempt")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "look",
        sa.Column("update_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("prompts", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["update_id"], ["updates.update_id"], name=op.f("fk_look_update_id")),
        sa.PrimaryKeyConstraint("update_id", "number", name=op.f("pk_look")),
    )
    op.create_table(
        "reservation",
        sa.Column("update_id", sa.Integer(), nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.Column("reserved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"], name=op.f("fk_reservation_example_id")),
        sa.ForeignKeyConstraint(["update_id"], ["updates.update_id"], name=op.f("fk_reservation_update_id")),
        sa.PrimaryKeyConstraint("update_id", "example_id", name=op.f("pk_reservation")),
    )
    op.create_index(
        "uq_reservation_live",
        "reservation",
        ["example_id", "revision"],
        unique=True,
        sqlite_where=sa.text("state IN ('live', 'learned')"),
    )
    op.create_table(
        "line",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("base_hash", sa.Text(), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["champion"], ["adapter.name"], name=op.f("fk_line_champion")),
        sa.PrimaryKeyConstraint("task", "base_hash", name=op.f("pk_line")),
    )
    op.create_table(
        "reign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("base_hash", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["adapter"], ["adapter.name"], name=op.f("fk_reign_adapter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reign")),
    )
    op.create_index(op.f("ix_reign_task_base_hash"), "reign", ["task", "base_hash"], unique=False)
    op.create_table(
        "retraction",
        sa.Column("event_row", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("target_event_id", sa.Text(), nullable=True),
        sa.Column("target_interaction_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_row"], ["event.id"], name=op.f("fk_retraction_event_row")),
        sa.PrimaryKeyConstraint("event_row", name=op.f("pk_retraction")),
    )
    op.create_index(op.f("ix_retraction_task_target_event_id"), "retraction", ["task", "target_event_id"], unique=False)
    op.create_index(
        op.f("ix_retraction_task_target_interaction_id"), "retraction", ["task", "target_interaction_id"], unique=False
    )
    op.create_table(
        "score",
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["adapter"], ["adapter.name"], name=op.f("fk_score_adapter")),
        sa.PrimaryKeyConstraint("adapter", "metric", name=op.f("pk_score")),
    )
