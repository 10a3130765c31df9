"""Updates with a pool, for the tests of the buffer and of reservations."""

from __future__ import annotations

from sqlalchemy import Connection

from storage import buffer, reservations, updates
from storage.records import Fold, Origin
from storage.store import Store
from tests.storage.makers import NOW, example, keep


def open_ones(store: Store, fold: Fold = "train", limit: int = 300) -> list[str]:
    found = store.read(lambda tx: buffer.open_examples(tx, "erd", fold=fold, settled_before=NOW, limit=limit))
    return [one.interaction_id for one in found]


def new_update(tx: Connection) -> int:
    return updates.create_update(tx, "erd", "erd@v0", "ripe", NOW).update_id


def reserved(store: Store, *names: str) -> tuple[int, list[Origin]]:
    """An update with these examples in its pool."""
    pool = store.write(lambda tx: keep(tx, *(example(name) for name in names)))
    number = store.write(new_update)
    store.write(lambda tx: reservations.reserve(tx, number, pool, NOW))
    return number, pool
