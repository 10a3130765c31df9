"""Which answer an example holds, so that judgements of the same answer are found across interactions.

Empty for what is stored already: it fills in as feedback on it comes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("example", sa.Column("answer_key", sa.Text(), nullable=True))
