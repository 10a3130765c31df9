"""When an update is begun again, and when it would only repeat itself."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import pytest

from daemon.batches import Batches
from daemon.config import Config
from storage import buffer, updates
from storage.records import Signal, UpdateState
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
        store.write(lambda tx: buffer.release(tx, update.update_id, [], "failed"))


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
