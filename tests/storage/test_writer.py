"""The one writer: steps are committed in groups and fail alone, its queue is bounded, and it empties its log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage.dialects import sqlite
from storage.errors import StorageError, StoreBusy, StoreUnavailable
from storage.store import Store, probe
from storage.writer import Writer
from tests.storage.marks import names, put


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


def test_the_writer_survives_a_step_that_raises_anything(store: Store) -> None:
    def exits(tx: Connection) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        store.write(exits)
    assert store.write(lambda tx: put(tx, "still here")) == "still here"


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


def test_nothing_is_waiting_in_a_new_writer(tmp_path: Path) -> None:
    writer = Writer(sqlite.writer(tmp_path / "x.db"), 100)
    assert writer.queued_bytes == 0
    writer.close()


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
