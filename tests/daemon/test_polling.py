"""The poll thread of one source, over the memory source, which keeps the protocol as strictly as Kafka does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from queue import Queue

import pytest

from consumers.sources.memory import MemorySource, Settings
from consumers.sources.protocol import SourceHealth
from daemon.app import parcel_maker
from daemon.intake import Outcome, Parcel
from daemon.intake_loop import IntakeLoop
from daemon.polling import PollLoop
from storage import intake as intake_store
from storage.errors import StoreUnavailable
from storage.records import Claim, Poll, Stream
from tests.daemon.desk import NOW, Desk, as_bytes, wire
from tests.services.waiting import wait_until

PATIENCE_S = 30.0


class Faulty(MemorySource):
    """A memory source that raises once for each error it was given."""

    def __init__(self, streams: int = 1) -> None:
        super().__init__(Settings(name="memory", streams=streams, default_task="erd"), lambda: NOW)
        self.errors: Queue[Exception] = Queue()
        self.sought: list[tuple[str, int]] = []
        self.told: dict[str, int] = {}
        self.paused = 0
        self.closed = threading.Event()

    def poll(self, timeout_s: float) -> Poll:
        if not self.errors.empty():
            raise self.errors.get()
        return super().poll(min(timeout_s, 0.02))

    def seek(self, stream: Stream, position: int) -> None:
        self.sought.append((stream.label, position))
        super().seek(stream, position)

    def pause(self) -> None:
        self.paused += 1
        super().pause()

    def committed(self, positions: object) -> None:
        assert isinstance(positions, dict)
        self.told |= {stream.label: position for stream, position in positions.items()}

    def close(self) -> None:
        self.closed.set()
        super().close()


class Line:
    """A source, its poll loop and an intake thread over a desk; `open` lets intake take what it is offered."""

    def __init__(self, desk: Desk, streams: int = 1) -> None:
        self.desk = desk
        self.source = Faulty(streams)
        self.open = threading.Event()
        self.open.set()
        self.outcomes: list[Outcome] = []
        self.intake = IntakeLoop(desk.intake, observe=lambda _parcel, outcome: self.outcomes.append(outcome))
        self.loop = PollLoop(
            self.source,
            take=desk.take,
            look_up=self.look_up,
            parcel_of=parcel_maker(Settings(name="memory", default_task="erd")),
            hand_over=self.hand_over,
        )

    def look_up(self, stream: Stream) -> Claim | None:
        return self.desk.store.read(lambda tx: intake_store.claim_of(tx, stream))

    def hand_over(self, parcel: Parcel) -> bool:
        return self.open.is_set() and self.intake.offer(self.loop, parcel)

    def start(self) -> None:
        self.intake.start()
        self.loop.start()

    def put(self, *names: str, stream: int = 0) -> None:
        for name in names:
            self.source.put(as_bytes(wire(name, task=None)), stream=stream)

    def stored(self, *names: str) -> None:
        wait_until(lambda: self.desk.event_ids() >= set(names), PATIENCE_S, f"{names} to be stored")

    def stop(self) -> None:
        self.loop.stop()
        self.intake.stop()
        for thread in (self.loop, self.intake):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def soon(ready: Callable[[], bool], what: str) -> None:
    wait_until(ready, PATIENCE_S, what)


@pytest.fixture
def line(desk: Desk) -> Iterator[Line]:
    line = Line(desk, streams=2)
    line.start()
    yield line
    line.stop()
    assert line.source.closed.is_set()


def test_a_stream_is_claimed_before_its_first_record(line: Line) -> None:
    soon(lambda: len(line.source.sought) == 2, "both streams to be sought")
    assert sorted(line.source.sought) == [("memory[0]", 0), ("memory[1]", 0)]
    line.put("a")
    line.put("b", stream=1)
    line.stored("a", "b")
    soon(lambda: line.source.told == {"memory[0]": 1, "memory[1]": 1}, "the source to be told")


def test_a_claim_goes_on_where_the_store_stands(desk: Desk) -> None:
    first = Line(desk)
    first.put("a", "b")
    first.start()
    first.stored("a", "b")
    first.stop()
    again = Line(desk)
    again.put("a", "b", "c")
    again.start()
    again.stored("c")
    again.stop()
    assert again.source.sought == [("memory[0]", 2)]
    assert desk.counted() == (3, 3, 0, 0)


def test_a_full_intake_pauses_the_source_until_it_has_room(line: Line) -> None:
    line.open.clear()
    line.put("a")
    soon(lambda: line.loop.health().state == "paused", "the source to be paused")
    line.put("b", "c")
    assert line.desk.event_ids() == set()
    line.open.set()
    line.stored("a", "b", "c")
    soon(lambda: line.loop.health().state == "polling", "the source to go on")
    assert line.source.paused == 1
    assert line.desk.counted() == (3, 3, 0, 0)


def test_a_stream_that_moved_without_us_is_claimed_anew(line: Line) -> None:
    line.put("a")
    line.stored("a")
    stream = line.source._lanes["memory:memory:0"].stream
    claim = line.look_up(stream)
    assert claim is not None
    line.desk.store.write(lambda tx: intake_store.advance(tx, claim, 1, 0))  # as if it had been put back
    line.put("b")
    line.stored("b")
    assert line.desk.counted() == (3, 2, 1, 0)  # "a" came twice, and counts once


def test_what_another_daemon_took_is_let_go(line: Line) -> None:
    line.put("a")
    line.stored("a")
    line.desk.take(line.source._lanes["memory:memory:0"].stream)
    line.put("b")
    soon(lambda: line.loop.health().state == "degraded", "the stream to be let go")
    assert "another daemon has claimed it" in line.loop.health().reason
    line.put("c", stream=1)
    line.stored("c")
    assert "b" not in line.desk.event_ids()


def test_a_stream_that_is_lost_and_dealt_anew_goes_on(line: Line) -> None:
    line.put("a")
    line.stored("a")
    line.source.lose(0)
    line.put("b")
    line.source.assign(0)
    line.stored("b")
    assert line.source.sought[-1] == ("memory[0]", 1)
    assert line.desk.counted() == (2, 2, 0, 0)


def test_parcels_of_an_older_claim_are_void(desk: Desk) -> None:
    line = Line(desk)
    line.open.clear()
    line.put("a", "b")
    line.start()
    soon(lambda: line.source.paused == 1, "a parcel to wait")
    line.source.lose(0)
    line.source.assign(0)
    soon(lambda: len(line.source.sought) == 2, "the stream to be claimed anew")
    line.open.set()
    line.stored("a", "b")
    line.stop()
    assert any(outcome.stale for outcome in line.outcomes)
    assert desk.counted() == (2, 2, 0, 0)


@pytest.mark.parametrize("error", [StoreUnavailable("the disk is away"), RuntimeError("my secret"), OSError()])
def test_no_error_ends_the_loop(line: Line, error: Exception) -> None:
    line.source.errors.put(error)
    soon(lambda: line.loop.health().state == "degraded", "the trouble to show")
    assert "secret" not in line.loop.health().reason
    line.put("a")
    line.stored("a")
    soon(lambda: line.loop.health().state == "polling", "the trouble to pass")


def test_trouble_in_the_loop_does_not_hide_what_was_lost(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line.source, "health", lambda: SourceHealth("polling", lost_records=7))
    line.source.errors.put(OSError("gone"))
    soon(lambda: line.loop.health().state == "degraded", "the trouble to show")
    assert line.loop.health().lost_records == 7


def test_a_refusal_that_could_not_be_looked_into_is_looked_into_again(line: Line) -> None:
    """The store fails between the refused batch and the look at where it stands; no later batch comes to help."""
    line.put("a")
    line.stored("a")
    stream = line.source._lanes["memory:memory:0"].stream
    claim = line.look_up(stream)
    assert claim is not None
    failing = [StoreUnavailable("away"), StoreUnavailable("away")]
    look_up = line.loop._look_up

    def sometimes(asked: Stream) -> Claim | None:
        if failing:
            raise failing.pop()
        return look_up(asked)

    line.loop._look_up = sometimes
    line.desk.store.write(lambda tx: intake_store.advance(tx, claim, 1, 0))
    line.put("b")
    line.stored("b")


def test_the_intake_thread_survives_what_nobody_foresaw(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest, failing = line.desk.intake.ingest, [KeyError("my secret")]

    def sometimes(parcel: Parcel) -> Outcome:
        if failing:
            raise failing.pop()
        return ingest(parcel)

    monkeypatch.setattr(line.desk.intake, "ingest", sometimes)
    line.put("a")
    soon(lambda: bool(line.intake.trouble), "the trouble to show")
    assert "KeyError" in line.intake.trouble
    assert "secret" not in line.intake.trouble
    line.stored("a")
    soon(lambda: not line.intake.trouble, "the trouble to pass")


def test_a_source_that_has_ended_is_finished_once_all_is_handed_on(line: Line) -> None:
    line.put("a")
    line.source.finish()
    soon(line.loop.finished.is_set, "the source to be finished")
    line.stored("a")
    assert line.loop.health().state == "finished"


def test_records_of_a_stream_without_a_claim_are_left_out() -> None:
    make = parcel_maker(Settings(name="memory", default_task="erd", trusted_apps=("shop",)))
    source = Faulty(2)
    for stream in (0, 1):
        source.put(b"{}", stream=stream)
    first, second = source.poll(0).assigned
    source.seek(first, 0)
    source.seek(second, 0)
    poll = source.poll(0)
    claim = Claim(second, 0, 1)
    parcel = make(poll, {second: claim})
    assert parcel is not None
    assert [(each.stream, held) for each, held in parcel.batches] == [(second, claim)]
    assert (parcel.source, parcel.default_task, parcel.trusted_apps) == ("memory", "erd", frozenset({"shop"}))
    assert make(replace(poll, batches=()), {second: claim}) is None
