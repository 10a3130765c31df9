"""When an update is begun again, and when it would only repeat itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon import batches as of_batches
from daemon.batches import Batches, weigh
from daemon.config import Config
from learners.gate import SetUnreadable
from storage import decisions, reservations, updates
from storage.records import Signal, Update, UpdateState
from storage.store import Store
from tests.storage.makers import NOW, example, insert, keep, later, rating

CONFIG = Config.model_validate(
    {
        "rewards": {"settle": "0s"},
        "batching": {"min": 2, "max": 2, "max_share_per_user": 1, "min_users": 1},
        "updates": {"method": "noop"},
        "tasks": {"erd": {}},
    }
)


def look(store: Store, at: datetime) -> str:
    """One look at the batch; the reason that it gives."""
    task = CONFIG.task("erd")
    assert task is not None
    batches = Batches(store, lambda: at)
    batches.consider(task, ["erd"], "erd@v0", None)
    last = batches.last("erd")
    assert last is not None
    return last.reason


def end_with(store: Store, *states: UpdateState) -> None:
    """The newest update goes through these states, and keeps its batch if it is held."""
    update = store.read(lambda tx: updates.list_updates(tx, "erd"))[0]
    for state in states:
        update = store.write(partial(updates.change_update, current=update, to_state=state, now=later(1)))
    if states[-1] != "held":
        store.write(lambda tx: reservations.release(tx, update.update_id, [], "failed"))


def updates_begun(store: Store) -> int:
    return len(store.read(lambda tx: updates.list_updates(tx, "erd")))


@pytest.fixture
def learner(store: Store) -> Store:
    """A store with one update under way on the only two examples there are."""
    store.write(lambda tx: keep(tx, example("a"), example("b")))
    look(store, NOW)
    assert updates_begun(store) == 1
    return store


def test_two_batches_do_not_take_turns_expiring_each_other(learner: Store) -> None:
    end_with(learner, "running", "trained", "held")
    learner.write(lambda tx: keep(tx, example("c"), example("d")))  # known before, and left over
    assert "waiting for new feedback" in look(learner, later(2))
    assert updates_begun(learner) == 1


@pytest.mark.parametrize("ended", [("running", "trained", "held"), ("failed",)])
def test_feedback_received_since_is_news_however_long_ago_it_was_given(
    learner: Store, ended: tuple[UpdateState, ...]
) -> None:
    end_with(learner, *ended)
    learner.write(lambda tx: keep(tx, example("c"), example("d")))
    old = rating("late", "c", received_at=later(5), effective_at=later(-1e6), signal=Signal(0.9, "1"))
    learner.write(lambda tx: insert(tx, [old]))
    look(learner, later(6))
    assert updates_begun(learner) == 2


class Scheduler:
    """Looks at the batches as the real one does, and says what became of a request."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.interrupt: Callable[[], None] = lambda: None
        self.batches = Batches(store, self._clock)

    def _clock(self) -> datetime:
        self.interrupt()
        return NOW

    def look(self, unfinished: Update | None = None) -> None:
        task = WAITING.task("erd")
        assert task is not None
        self.batches.consider(task, ["erd"], "erd@v0", unfinished)

    def refusals(self) -> list[str]:
        return [one.reason for _, one in self.store.read(decisions.list_decisions) if one.kind == "update"]


WAITING = CONFIG.model_copy(update={"batching": CONFIG.batching.model_copy(update={"max": 50})})


@pytest.fixture
def scheduler(store: Store) -> Scheduler:
    """Two examples: enough for an update that is asked for, too few for one that is not."""
    store.write(lambda tx: keep(tx, example("a"), example("b")))
    return Scheduler(store)


def test_what_is_asked_for_while_a_look_is_under_way_begins_at_the_next_one(scheduler: Scheduler) -> None:
    scheduler.interrupt = lambda: scheduler.batches.ask("erd")
    scheduler.look()
    scheduler.interrupt = lambda: None
    assert updates_begun(scheduler.store) == 0
    scheduler.look()
    assert updates_begun(scheduler.store) == 1
    scheduler.store.write(lambda tx: keep(tx, example("c"), example("d")))
    scheduler.look()
    assert updates_begun(scheduler.store) == 1, "it was asked for once"


def test_a_request_outlasts_feedback_that_came_in_between(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weigh_too_late(*given: Any, **named: Any) -> Any:
        monkeypatch.undo()
        scheduler.store.write(lambda tx: keep(tx, example("a", revision=2), example("b")))
        return weigh(*given, **named)

    monkeypatch.setattr(of_batches, "weigh", weigh_too_late)
    scheduler.batches.ask("erd")
    scheduler.look()
    assert updates_begun(scheduler.store) == 0
    scheduler.look()
    assert updates_begun(scheduler.store) == 1


def test_a_request_outlasts_a_look_that_failed(scheduler: Scheduler) -> None:
    def fail() -> None:
        raise OSError("disk")

    scheduler.interrupt = fail
    scheduler.batches.ask("erd")
    with pytest.raises(OSError, match="disk"):
        scheduler.look()
    scheduler.interrupt = lambda: None
    scheduler.look()
    assert updates_begun(scheduler.store) == 1


def test_where_none_can_begin_after_all_a_decision_says_so_once(scheduler: Scheduler) -> None:
    update = scheduler.store.write(lambda tx: updates.create_update(tx, "erd", "erd@v0", "ripe", NOW))
    scheduler.batches.ask("erd")
    scheduler.look(update)
    scheduler.look(update)
    (said,) = scheduler.refusals()
    assert said.startswith("asked for by hand, but no update begins: 2 of 2 examples")
    assert said.endswith("update 1 is queued")


def test_a_golden_file_that_is_gone_is_why_nothing_begins(store: Store, tmp_path: Path) -> None:
    store.write(lambda tx: keep(tx, example("a"), example("b")))
    golden = {"gate": {"golden": str(tmp_path / "gone.jsonl")}}
    task = Config.model_validate({**CONFIG.model_dump(exclude_unset=True), **golden}).task("erd")
    assert task is not None
    batches = Batches(store, lambda: NOW)
    with pytest.raises(SetUnreadable):
        batches.consider(task, ["erd"], "erd@v0", None)
    last = batches.last("erd")
    assert last is not None
    assert (last.ripe, last.state) == (False, "waiting")
    assert "gone.jsonl cannot be read: No such file" in last.reason
