"""The store opens or says why it cannot, keeps what was written, and is read without writing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from storage.dialects import sqlite
from storage.errors import StorageError, StoreMismatch, StoreUnavailable
from storage.store import Store, probe
from tests.storage.marks import names, put


def test_what_was_written_is_read_after_a_restart(url: str) -> None:
    with Store.open(url) as store:
        assert store.write(lambda tx: put(tx, "kept")) == "kept"
    with Store.open(url) as store:
        assert store.read(names) == {"kept"}


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        store.read(lambda tx: put(tx, "never"))


def test_a_reader_sees_one_snapshot_while_the_writer_goes_on(store: Store) -> None:
    def look_twice(tx: Connection) -> tuple[set[str], set[str]]:
        before = names(tx)
        store.write(lambda writing: put(writing, "meanwhile"))
        return before, names(tx)

    assert store.read(look_twice) == (set(), set())
    assert store.read(names) == {"meanwhile"}


def test_a_closed_store_refuses_and_closing_twice_is_harmless(url: str) -> None:
    store = Store.open(url)
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.write(probe)


def test_reading_needs_no_lock_and_no_daemon(url: str, store: Store) -> None:
    store.write(lambda tx: put(tx, "kept"))
    with Store.open_readonly(url) as beside:
        assert beside.read(names) == {"kept"}
        with pytest.raises(StorageError, match="reading only"):
            beside.write(probe)
    store.close()
    with Store.open_readonly(url) as alone:
        assert alone.read(names) == {"kept"}


def test_reading_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store"):
        Store.open_readonly(f"sqlite:///{tmp_path / 'absent.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(url: str) -> None:
    with Store.open(url) as store:
        store.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")) and None)
    with pytest.raises(StoreMismatch, match="newer"):
        Store.open(url)
    with pytest.raises(StoreMismatch, match="9999"):
        Store.open_readonly(url)


def test_a_file_that_is_no_database_is_an_outage_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "adaptd.db"
    path.write_bytes(b"not a database, whatever it is" * 100)
    with pytest.raises(StoreUnavailable, match=r"adaptd\.db"):
        Store.open(f"sqlite:///{path}")


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="folder"):
        Store.open(f"sqlite:///{tmp_path / 'no' / 'adaptd.db'}")


@pytest.mark.parametrize("url", ["postgresql://localhost/adaptd", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match=r"storage\.url"):
        Store.open(url)


@pytest.mark.parametrize(
    ("version", "faulty"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_the_wal_reset_fault_is_warned_of_where_it_is(version: tuple[int, int, int], faulty: bool) -> None:
    warning = sqlite.wal_reset_warning(version)
    assert (warning is not None) == faulty
    assert not faulty or ".".join(map(str, version)) in str(warning)


def test_every_commit_is_synced_and_only_the_writer_checkpoints(store: Store) -> None:
    def pragma(name: str) -> int:
        return store.write(lambda tx: int(tx.execute(text(f"PRAGMA {name}")).scalar_one()))

    assert pragma("synchronous") == 2  # FULL
    assert pragma("foreign_keys") == 1
    assert pragma("wal_autocheckpoint") == sqlite.CHECKPOINT_PAGES
    assert store.read(lambda tx: tx.execute(text("PRAGMA query_only")).scalar_one()) == 1


def test_a_forked_child_is_refused_its_parents_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as child:
        child.setattr("storage.store.os.getpid", lambda: -1)
        with pytest.raises(StorageError, match="forked"):
            store.read(names)
        with pytest.raises(StorageError, match="forked"):
            store.write(probe)
        store.close()
    store.write(probe)
