"""The store opens, writes through one thread in groups, reads without writing, and refuses a second writer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage.dialects import sqlite
from storage.errors import StorageError, StoreBusy, StoreLocked, StoreMismatch, StoreUnavailable
from storage.store import Store, probe
from storage.writer import Writer


def put(tx: Connection, name: str) -> str:
    tx.execute(text("INSERT INTO meta VALUES (:name, x'00')"), {"name": name})
    return name


def names(tx: Connection) -> set[str]:
    return set(tx.execute(text("SELECT name FROM meta")).scalars()) - {"probe", "fold_secret"}


def together(store: Store, *steps: Callable[[Connection], object]) -> list[object]:
    """Have these steps wait while the writer is busy, so that they are committed as one group."""
    gate, started, outcomes = threading.Event(), threading.Event(), cast(list[object], [None] * len(steps))

    def occupies(tx: Connection) -> None:
        started.set()
        gate.wait(30)

    def run(index: int) -> None:
        try:
            outcomes[index] = store.write(steps[index])
        except Exception as error:
            outcomes[index] = error

    busy = threading.Thread(target=lambda: store.write(occupies))
    busy.start()
    started.wait(30)
    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(steps))]
    for thread in threads:
        thread.start()
    while store.queued_bytes < 256 * len(steps):
        threading.Event().wait(0.001)
    gate.set()
    for thread in (busy, *threads):
        thread.join(30)
    return outcomes


def test_what_was_written_is_read_after_a_restart(url: str) -> None:
    with Store.open(url) as store:
        assert store.write(lambda tx: put(tx, "kept")) == "kept"
    with Store.open(url) as store:
        assert store.read(names) == {"kept"}


def test_a_failing_step_leaves_its_neighbours_in_the_group_alone(store: Store) -> None:
    def breaks(tx: Connection) -> None:
        put(tx, "undone")
        raise ValueError("mine alone")

    outcomes = together(store, lambda tx: put(tx, "first"), breaks, lambda tx: put(tx, "third"))
    assert outcomes[0] == "first"
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == "third"
    assert store.read(names) == {"first", "third"}
    assert store.trouble == ""


def test_a_step_refused_by_the_database_is_told_so_alone(store: Store) -> None:
    outcomes = together(store, lambda tx: put(tx, "twice"), lambda tx: put(tx, "twice"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IntegrityError", "str"]


def test_an_error_of_the_database_does_not_show_what_was_bound(store: Store) -> None:
    store.write(lambda tx: put(tx, "somebody's secret"))
    with pytest.raises(DBAPIError) as caught:
        store.write(lambda tx: put(tx, "somebody's secret"))
    assert "somebody" not in str(caught.value)


def test_a_step_with_a_fault_in_its_sql_leaves_its_neighbours_alone(store: Store) -> None:
    outcomes = together(store, lambda tx: put(tx, "kept"), lambda tx: tx.execute(text("SELECT nonsense")))
    assert outcomes[0] == "kept"
    assert isinstance(outcomes[1], OperationalError)
    assert store.read(names) == {"kept"}


def test_a_steps_own_timeout_reaches_its_caller(store: Store) -> None:
    def times_out(tx: Connection) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        store.write(times_out)


def test_a_failing_commit_fails_all_of_its_group_and_leaves_nothing(store: Store) -> None:
    def defers(tx: Connection) -> None:
        tx.execute(text("PRAGMA defer_foreign_keys=ON"))
        tx.execute(text("INSERT INTO look VALUES (999, 1, 1, 'hold', '', 0, '{}')"))

    outcomes = together(store, lambda tx: put(tx, "lost with it"), defers)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert store.read(names) == set()
    assert store.trouble
    store.write(lambda tx: put(tx, "afterwards"))
    assert store.trouble == ""


def test_a_full_disk_undoes_the_whole_group_and_is_nobodys_data_error(store: Store) -> None:
    def fills(tx: Connection) -> None:
        tx.execute(text("PRAGMA max_page_count=1"))  # SQLite takes the pages in use
        tx.execute(text("INSERT INTO meta VALUES ('big', zeroblob(1000000))"))

    outcomes = together(store, lambda tx: put(tx, "before"), fills, lambda tx: put(tx, "after"))
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert "full" in str(outcomes[0])
    assert store.read(names) == set()
    store.write(lambda tx: put(tx, "room again"))
    assert store.read(names) == {"room again"}


def test_a_step_that_swallows_a_full_disk_still_leaves_nothing(store: Store) -> None:
    def swallows(tx: Connection) -> None:
        put(tx, "before")
        tx.execute(text("PRAGMA max_page_count=1"))
        with pytest.raises(OperationalError):
            tx.execute(text("INSERT INTO meta VALUES ('big', zeroblob(1000000))"))

    with pytest.raises(StoreUnavailable):
        store.write(swallows)
    assert store.read(names) == set()


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


def test_a_step_that_starts_a_write_is_refused_instead_of_waiting_for_itself(store: Store) -> None:
    with pytest.raises(StorageError, match="one step"):
        store.write(lambda _: store.write(lambda inner: put(inner, "never")))


def test_a_write_that_waits_too_long_is_taken_back(store: Store) -> None:
    gate, started = threading.Event(), threading.Event()

    def occupies(tx: Connection) -> None:
        started.set()
        gate.wait(30)

    busy = threading.Thread(target=lambda: store.write(occupies))
    busy.start()
    started.wait(30)
    with pytest.raises(StoreBusy):
        store.write(lambda tx: put(tx, "never"), timeout_s=0.01)
    gate.set()
    busy.join(30)
    assert store.read(names) == set()
    assert store.queued_bytes == 0


def test_the_queue_is_bounded_in_bytes_but_takes_one_that_is_too_big_alone(url: str) -> None:
    with Store.open(url, queue_bytes=1000) as store:
        store.write(lambda tx: put(tx, "big"), size_bytes=10_000)
        gate, started = threading.Event(), threading.Event()

        def occupies(tx: Connection) -> None:
            started.set()
            gate.wait(30)

        threads = [threading.Thread(target=lambda: store.write(occupies))]
        threads[0].start()
        started.wait(30)
        threads.append(threading.Thread(target=lambda: store.write(probe, size_bytes=900)))
        threads[1].start()
        while not store.queued_bytes:
            threading.Event().wait(0.001)
        with pytest.raises(StoreBusy, match="full"):
            store.write(lambda tx: put(tx, "never"), size_bytes=200, timeout_s=0.01)
        gate.set()
        for thread in threads:
            thread.join(30)
        assert store.read(names) == {"big"}


def test_a_closed_store_refuses_and_closing_twice_is_harmless(url: str) -> None:
    store = Store.open(url)
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.write(probe)


def test_closing_empties_the_log(store: Store) -> None:
    store.write(lambda tx: put(tx, "x"))
    log = store.path.with_name(store.path.name + "-wal")
    assert log.stat().st_size > 0
    store.close()
    assert not log.exists()


def test_an_idle_writer_empties_the_log(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.writer.IDLE_S", 0.01)
    with Store.open(url) as store:
        store.write(lambda tx: put(tx, "x"))
        log = store.path.with_name(store.path.name + "-wal")
        for _ in range(3000):
            if log.stat().st_size == 0:
                return
            threading.Event().wait(0.01)
        raise AssertionError("the log was not emptied")


def test_a_second_writer_is_refused_by_name(url: str, store: Store) -> None:
    with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
        Store.open(url)
    store.close()
    Store.open(url).close()


def opens_soon(url: str) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            Store.open(url).close()
        except StoreLocked:
            time.sleep(0.05)
        else:
            return True
    return False


def test_the_lock_dies_with_a_killed_process_and_is_not_kept_by_its_children(url: str) -> None:
    script = (
        "import os, sys, time\n"
        "from storage.store import Store\n"
        f"store = Store.open({url!r})\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    time.sleep(60)\n"
        "    os._exit(0)\n"
        "print(child, flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(StoreLocked):
            Store.open(url)
        holder.kill()
        holder.wait(30)
        assert opens_soon(url)  # the child may not have come to close its copy yet
    finally:
        os.kill(child, 9)
        holder.stdout.close()


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


def test_the_writer_survives_a_step_that_raises_anything(store: Store) -> None:
    def exits(tx: Connection) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        store.write(exits)
    assert store.write(lambda tx: put(tx, "still here")) == "still here"


def test_a_forked_child_is_refused_its_parents_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as child:
        child.setattr("storage.store.os.getpid", lambda: -1)
        with pytest.raises(StorageError, match="forked"):
            store.read(names)
        with pytest.raises(StorageError, match="forked"):
            store.write(probe)
        store.close()
    store.write(probe)


def test_nothing_is_waiting_in_a_new_writer(tmp_path: Path) -> None:
    writer = Writer(sqlite.writer(tmp_path / "x.db"), 100)
    assert writer.queued_bytes == 0
    writer.close()


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
