"""Many rows in few statements, and few different statements whatever the number of rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from storage import bulk
from storage.bulk import insert_many
from storage.store import Store
from storage.tables import fold

NAMES = ("task", "key", "fold", "drawn_at")


@pytest.mark.parametrize("count", [0, 1, 3, 255, 256, 257, 999])
def test_every_row_is_inserted_once(store: Store, count: int) -> None:
    def insert(tx: Connection) -> list[tuple[object, ...]]:
        rows = [("erd", f"prompt:{number}", "train", 0) for number in range(count)]
        return list(insert_many(tx, fold, NAMES, rows, returning=("key",)))

    found = store.write(insert)
    assert sorted(found) == sorted((f"prompt:{number}",) for number in range(count))


def test_rows_of_any_number_make_few_different_statements() -> None:
    sizes = {len(piece) for count in range(1, 1200) for piece in bulk._in_few_sizes(range(count))}
    assert len(sizes) <= 5
    assert [row for piece in bulk._in_few_sizes(range(777)) for row in piece] == list(range(777))
