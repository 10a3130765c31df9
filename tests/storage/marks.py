"""The least that a test of the store itself can write, a name, and all such names as they are found."""

from __future__ import annotations

from sqlalchemy import Connection, text


def put(tx: Connection, name: str) -> str:
    tx.execute(text("INSERT INTO meta VALUES (:name, x'00')"), {"name": name})
    return name


def names(tx: Connection) -> set[str]:
    return set(tx.execute(text("SELECT name FROM meta")).scalars()) - {"probe", "fold_secret"}
