"""adaptd's own intake, measured from outside: a real daemon reads the topic, its store says how far it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Connection, text

from bench.intake.consuming import Pace
from bench.reporting import ROOT
from storage.claims import totals
from storage.errors import StorageError
from storage.store import Store

LOOK_EVERY_S = 0.2
SILENT_S = 60.0
STOP_S = 30.0
CONFIG = """\
sources: [{{type: kafka, bootstrap_servers: [{servers}], topics: [{topic}], group_id: {topic}-bench}}]
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
tasks: {{bench: {{}}}}
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the daemon stood at a moment: events that are durable, its CPU time, its resident memory."""

    at_s: float
    events: int
    cpu_s: float
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """The readings from the first durable event to the last."""

    readings: Sequence[Reading]

    def pace(self) -> Pace:
        """Over the whole run, start of the daemon and joining of its group left out."""
        return _pace(self.readings[0], self.readings[-1])

    def share(self, begin: float, end: float) -> Pace:
        """Over the part of the backlog between two shares of it, as 0 and 0.1 for the first tenth."""
        inside = self._between(begin, end)
        return _pace(inside[0], inside[-1])

    def rss_mib(self, begin: float, end: float) -> float:
        """The most resident memory between two shares of the backlog."""
        return max(each.rss_bytes for each in self._between(begin, end)) / 2**20

    def _between(self, begin: float, end: float) -> Sequence[Reading]:
        """The readings from the last one before `begin` to the first one after `end`: a commit holds thousands."""
        counts, last = [each.events for each in self.readings], self.readings[-1].events
        start = max(bisect_right(counts, begin * last) - 1, 0)
        stop = max(bisect_left(counts, end * last), start + 1)
        if stop >= len(counts):
            raise ValueError(f"too few readings between {begin:.0%} and {end:.0%}: take a larger --backlog")
        return self.readings[start : stop + 1]


def run(servers: str, topic: str, count: int, folder: Path, seen: Callable[[int], None]) -> Run:
    """A daemon in `folder` takes the whole topic. Raises RuntimeError with its last words when it does not."""
    folder.mkdir()
    (folder / "adaptd.yaml").write_text(CONFIG.format(servers=servers, topic=topic))
    command = [sys.executable, "-m", "daemon.cli.main", "run", "--role", "intake", "--config", "adaptd.yaml"]
    with (folder / "daemon.log").open("wb") as log:
        process = psutil.Popen(command, cwd=folder, env=_environment(), stdout=log, stderr=log)
    try:
        return Run(_watch(process, folder, count, seen))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def signals_of(folder: Path, event_ids: Sequence[str]) -> dict[str, float | None]:
    """The signals that a daemon has stored, by event."""

    def read(tx: Connection) -> dict[str, float | None]:
        found = {}
        for event_id in event_ids:
            row = tx.execute(text("SELECT signal FROM event WHERE task = 'bench' AND event_id = :of"), {"of": event_id})
            found[event_id] = row.scalar_one()
        return found

    with Store.open_readonly(f"sqlite:///{folder / 'adaptd.db'}") as store:
        return store.read(read)


def _watch(process: psutil.Popen, folder: Path, count: int, seen: Callable[[int], None]) -> list[Reading]:
    store, readings, moved_at = None, list[Reading](), time.monotonic()
    try:
        while not readings or readings[-1].events < count:
            time.sleep(LOOK_EVERY_S)
            if process.poll() is not None or time.monotonic() - moved_at > SILENT_S:
                raise RuntimeError(f"the daemon stopped taking events:\n{_last_words(folder)}")
            store = store or _open(folder)
            reading = None if store is None else _look(process, store)
            if reading is not None and (not readings or reading.events > readings[-1].events):
                moved_at = time.monotonic()
                readings.append(reading)
                seen(reading.events)
    finally:
        if store is not None:
            store.close()
    return readings


def _open(folder: Path) -> Store | None:
    """None while the daemon has not made its store."""
    try:
        return Store.open_readonly(f"sqlite:///{folder / 'adaptd.db'}")
    except StorageError:
        return None


def _look(process: psutil.Popen, store: Store) -> Reading | None:
    """None before the first durable event. Raises RuntimeError when events were refused: then rates mean nothing."""
    found = store.read(totals)
    if found.dead_letters or found.duplicates:
        raise RuntimeError(f"of {found.received} events {found.dead_letters} could not be read: mend bench.intake.feed")
    if not found.stored:
        return None
    with process.oneshot():
        times = process.cpu_times()
        rss = process.memory_info().rss
    return Reading(time.perf_counter(), found.stored, times.user + times.system, rss)


def _pace(first: Reading, last: Reading) -> Pace:
    return Pace(last.events - first.events, last.at_s - first.at_s, last.cpu_s - first.cpu_s)


def _last_words(folder: Path) -> str:
    return (folder / "daemon.log").read_text(errors="replace")[-2000:]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
