"""Which prompt an example of the gate fold asks, so that a gate's different prompts are counted and not its entries.

Examples that lie in the gate fold already get theirs here; no other has one.
"""

import json

import sqlalchemy as sa
from alembic import op

from storage.records import Message
from storage.records.prompts import prompt_key

revision = "0006"
down_revision = "0005"

AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("example", sa.Column("prompt_key", sa.Text(), nullable=True))
    _fill(op.get_bind())
    op.create_index(
        "ix_example_gate_prompt",
        "example",
        ["task", "prompt_key", "effective_at", "labelled", "joined", "withdrawn", "revision"],
        sqlite_where=sa.text("prompt_key IS NOT NULL"),
    )


def _fill(tx: sa.Connection) -> None:
    """A thousand at a time, so that a large gate does not have to fit into memory."""
    example = sa.table("example", *(sa.column(name) for name in ("id", "fold", "record", "prompt_key")))
    change = sa.update(example).where(example.c.id == sa.bindparam("of")).values(prompt_key=sa.bindparam("key"))
    query = sa.select(example.c.id, example.c.record).where(example.c.fold == "gate", example.c.record.is_not(None))
    last = -1
    while rows := tx.execute(query.where(example.c.id > last).order_by(example.c.id).limit(AT_ONCE)).all():
        tx.execute(change, [{"of": number, "key": _key(record)} for number, record in rows])
        last = rows[-1].id


def _key(record: str) -> str | None:
    said = json.loads(record).get("messages")
    return prompt_key([Message(message["role"], message["content"]) for message in said]) if said else None
