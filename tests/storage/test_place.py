"""A store whose file was removed or replaced while it was open believes no commit, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from storage.errors import StoreUnavailable
from storage.store import Store
from tests.storage.marks import names, put


def test_a_store_that_is_removed_takes_nothing_until_it_is_back(store: Store) -> None:
    away = store.path.with_name("away")
    store.write(lambda tx: put(tx, "before"))
    store.path.rename(away)
    assert "is gone (No such file or directory); put the file back" in store.trouble
    with pytest.raises(StoreUnavailable, match="is gone"):
        store.write(lambda tx: put(tx, "lost"))
    assert not store.path.exists()
    away.rename(store.path)
    assert store.trouble == ""
    store.write(lambda tx: put(tx, "after"))
    assert store.read(names) == {"before", "after"}


def test_a_store_that_is_removed_while_it_commits_acknowledges_nothing(store: Store) -> None:
    def removes(tx: Connection) -> None:
        put(tx, "lost")
        store.path.unlink()

    with pytest.raises(StoreUnavailable, match="is gone"):
        store.write(removes)


def test_a_file_put_in_the_stores_place_is_not_taken_for_it(store: Store, tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path / 'other.db'}").close()
    (tmp_path / "other.db").replace(store.path)
    with pytest.raises(StoreUnavailable, match="is another file than the one that was opened; start adaptd again"):
        store.write(lambda tx: put(tx, "lost"))
    assert "another" in store.trouble
