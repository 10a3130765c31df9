"""By which yardstick a score was measured, and a study's trials, so that those of two validators are not compared.

Of what is there already nobody knows it: theirs stays empty. `learners.yardsticks` says what such scores count as; an
open study goes on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("score", sa.Column("yardstick", sa.Text(), nullable=True))
    op.add_column("study", sa.Column("yardstick", sa.Text(), nullable=True))
