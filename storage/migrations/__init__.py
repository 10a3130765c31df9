"""Brings a store's schema to the one in `storage.tables`, in one transaction: all of it or nothing.

Alembic is imported only when there is something to do, because a start should be quick. Revisions are written by hand
in `versions/`, and a test compares what they make with `tables.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from storage.errors import StoreMismatch

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0007"


def revision_of(tx: Connection) -> str | None:
    """The revision that the store says it has; None for a new file."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    found: str | None = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def config_for(tx: Connection) -> Config:
    """Alembic's own configuration, working in the open transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = tx
    return config


def upgrade(tx: Connection) -> None:
    """To HEAD. Raises StoreMismatch for a store that a newer adaptd wrote."""
    found = revision_of(tx)
    if found == HEAD:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    config = config_for(tx)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreMismatch(f"the store has schema {found}, newer than this adaptd knows ({HEAD}); install a newer one")
    command.upgrade(config, "head")


def check(tx: Connection) -> None:
    """Raises StoreMismatch unless the store has HEAD; for those who only read."""
    found = revision_of(tx)
    if found != HEAD:
        raise StoreMismatch(
            f"the store has schema {found or 'none'} and this adaptd reads {HEAD}; start the daemon once to bring it "
            "up to date, or install the version that wrote it"
        )
