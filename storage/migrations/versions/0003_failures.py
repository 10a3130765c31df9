"""Failures by kind, tallies of them by adapter, and what each example fails in."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "failure",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("task", "kind", name=op.f("pk_failure")),
    )
    op.create_table(
        "failure_tally",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task", "adapter", "source", "kind", name=op.f("pk_failure_tally")),
    )
    op.create_table(
        "diagnosis",
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("last_signal_at", sa.BigInteger(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"], name=op.f("fk_diagnosis_example_id")),
        sa.PrimaryKeyConstraint("example_id", name=op.f("pk_diagnosis")),
    )
