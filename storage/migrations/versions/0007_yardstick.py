"""By which yardstick a score was measured, so that scores of two validators are not compared.

Of the scores that are there nobody knows it: theirs stays empty. `learners.yardsticks` says what they count as.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("score", sa.Column("yardstick", sa.Text(), nullable=True))
