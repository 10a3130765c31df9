"""The queue before the model: who is answered together, who waits, who is turned away. No torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from learners.engines.local.worker import Overfull, TooLate, Work, Worker, WorkerLimits, fulfil

FAR = time.monotonic() + 3600


class Recording:
    """Notes each batch; holds the first until `go` is set, so that a queue can form behind it."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.busy = threading.Event()

    def __call__(self, works: list[Work]) -> None:
        self.busy.set()
        assert self.go.wait(30)
        self.batches.append([work.args[0] for work in works])
        if any(work.do == "break" for work in works):
            raise ZeroDivisionError
        for work in works:
            fulfil(work, work.args[0])


def ask(name: str, adapter: str = "a", deadline: float = FAR) -> Work:
    return Work("generate", (name,), deadline, ("generate", adapter))


@pytest.fixture
def handle() -> Recording:
    return Recording()


@pytest.fixture
def worker(handle: Recording) -> Iterator[Worker]:
    worker = Worker(handle, WorkerLimits(max_batch=3, window_s=0.0, max_waiting=6))
    worker.start()
    worker.submit(Work("load", ("first",), FAR))
    assert handle.busy.wait(30)
    yield worker
    handle.go.set()
    worker.close()


def run(worker: Worker, handle: Recording, *works: Work) -> list[Any]:
    futures = [worker.submit(work) for work in works]
    handle.go.set()
    return [future.result(timeout=30) for future in futures]


def test_requests_for_one_adapter_go_together_and_the_oldest_goes_first(worker: Worker, handle: Recording) -> None:
    works = [ask("1", "b"), ask("2"), ask("3", "b"), ask("4")]
    assert run(worker, handle, *works) == ["1", "2", "3", "4"]
    assert handle.batches == [["first"], ["1", "3"], ["2", "4"]]


def test_a_batch_has_a_bound(worker: Worker, handle: Recording) -> None:
    run(worker, handle, *(ask(str(n)) for n in range(5)))
    assert handle.batches[1:] == [["0", "1", "2"], ["3", "4"]]


def test_unloading_waits_for_what_was_asked_before_it(worker: Worker, handle: Recording) -> None:
    run(worker, handle, ask("before"), Work("unload", ("gone",), FAR))
    assert handle.batches[1:] == [["before"], ["gone"]]


def test_loading_goes_to_the_front(worker: Worker, handle: Recording) -> None:
    waiting = worker.submit(ask("waiting"))
    worker.submit(Work("load", ("new",), FAR), first=True)
    handle.go.set()
    waiting.result(timeout=30)
    assert handle.batches[1:] == [["new"], ["waiting"]]


def test_a_full_queue_turns_away(worker: Worker) -> None:
    for n in range(6):
        worker.submit(ask(str(n)))
    with pytest.raises(Overfull, match="6 requests are waiting, the bound; try again later") as refused:
        worker.submit(ask("7"))
    assert refused.value.status == 503


def test_a_request_past_its_deadline_is_not_answered(worker: Worker, handle: Recording) -> None:
    late = worker.submit(ask("late", deadline=time.monotonic() - 1))
    assert run(worker, handle, ask("in time")) == ["in time"]
    with pytest.raises(TooLate) as refused:
        late.result(timeout=30)
    assert refused.value.status == 504
    assert ["late"] not in handle.batches


def test_a_request_nobody_waits_for_is_left_out(worker: Worker, handle: Recording) -> None:
    gone = worker.submit(ask("gone"))
    gone.cancel()
    run(worker, handle, ask("here"))
    assert handle.batches[1:] == [["here"]]


def test_a_failure_is_told_and_the_thread_goes_on(worker: Worker, handle: Recording) -> None:
    broken = worker.submit(Work("break", ("x",), FAR))
    assert run(worker, handle, ask("after")) == ["after"]
    with pytest.raises(Exception, match=r"failed at this request \(ZeroDivisionError\)"):
        broken.result(timeout=30)
    assert worker.alive


def test_what_waits_when_the_engine_stops_is_told(handle: Recording) -> None:
    worker = Worker(handle, WorkerLimits(max_batch=1, window_s=0.0))
    worker.start()
    worker.submit(ask("at hand"))
    assert handle.busy.wait(30)
    waiting = worker.submit(ask("waiting"))
    threading.Timer(0.05, handle.go.set).start()
    worker.close()
    with pytest.raises(Overfull, match="stopping"):
        waiting.result(timeout=30)
