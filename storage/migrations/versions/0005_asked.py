"""Which interactions people were asked about by `adaptd ask`, so that their answers can be counted apart."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "asked",
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("last_asked_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"], name=op.f("fk_asked_example_id")),
        sa.PrimaryKeyConstraint("example_id", name=op.f("pk_asked")),
    )
