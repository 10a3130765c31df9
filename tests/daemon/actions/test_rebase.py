"""A task begins its line on a changed base: from what was learned, audited, and while the old champion serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.actions import rebase
from daemon.actions.context import Context
from daemon.actions.rebase import rebase_task
from daemon.actions.status import status
from daemon.errors import Denied, NotFound
from daemon.material import gather, phases_of
from storage import decisions, registry, reservations, updates
from storage.records import Adapter, Target
from storage.store import Store
from tests.daemon.past import TASK, context_of
from tests.storage.makers import NOW, example, keep, later

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def context(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """The base in the config is the new one."""
    monkeypatch.setattr(rebase, "find_base", Path)
    monkeypatch.setattr(rebase, "base_hash", lambda _: NEW)
    yield context_of(store, tmp_path)


def learn(store: Store, *, files: bool = True) -> None:
    """One update on the old base was promoted, which learned one example."""
    line = store.write(lambda tx: registry.ensure_line(tx, TASK, OLD, NOW))
    target = Target("by hand", 0.2, NOW, "u1")
    (origin,) = store.write(lambda tx: keep(tx, example("i1", correction=target, scalar=None)))
    update = store.write(lambda tx: updates.create_update(tx, TASK, line.champion, "ripe", NOW))
    store.write(lambda tx: reservations.reserve(tx, update.update_id, [origin], NOW))
    made = "erd/v1" if files else None
    adapter = Adapter(f"{TASK}@v1", TASK, 1, OLD, line.champion, update.update_id, NOW, "candidate", made)
    store.write(lambda tx: registry.add_candidate(tx, adapter))
    store.write(lambda tx: registry.promote(tx, TASK, adapter.name, line.champion, later(1)))
    store.write(lambda tx: reservations.release(tx, update.update_id, [origin], "promoted"))
    running = store.write(lambda tx: updates.change_update(tx, update, "running", later(1)))
    trained = store.write(lambda tx: updates.change_update(tx, running, "trained", later(1)))
    store.write(lambda tx: updates.change_update(tx, trained, "promoted", later(1)))


def test_it_queues_an_update_on_everything_learned_and_writes_down_who_asked(context: Context) -> None:
    learn(context.store)
    found = rebase_task(context, TASK)
    assert (found.serving, found.base, found.learned) == ("erd@v1", NEW, 1)
    update = context.store.read(lambda tx: updates.get_update(tx, found.update_id))
    assert update is not None
    assert (update.state, update.champion) == ("queued", "erd@v2"), "judged against the bare new base"
    ((_, decision),) = context.store.read(lambda tx: decisions.list_decisions(tx, kind="rebase"))
    assert (decision.actor, decision.task, decision.subject) == ("operator", TASK, f"update {found.update_id}")


def test_what_the_old_line_learned_is_what_the_new_one_trains_on(context: Context) -> None:
    learn(context.store)
    found = rebase_task(context, TASK)
    task = context.config().task(TASK)
    assert task is not None

    def read(tx: Any) -> Any:
        update = updates.get_update(tx, found.update_id)
        assert update is not None
        return gather(tx, update, task, later(2))

    material = context.store.read(read)
    (phase,) = phases_of(material, task, 10, seed=1)
    assert not material.batch
    assert [(row.completion, row.replay) for row in phase.learned] == [("by hand", True)]


def test_the_old_champion_is_the_one_that_answers_until_the_new_line_has_its_own(context: Context) -> None:
    learn(context.store)
    rebase_task(context, TASK)

    def serving() -> str:
        champion = status(context).tasks[TASK].champion
        assert champion is not None
        return champion.adapter

    assert serving() == "erd@v1"
    own = Adapter("erd@v3", TASK, 3, NEW, "erd@v2", None, NOW, "candidate", "erd/v3")
    context.store.write(lambda tx: registry.add_candidate(tx, own))
    context.store.write(lambda tx: registry.promote(tx, TASK, own.name, "erd@v2", later(3)))
    assert serving() == "erd@v3"


def test_it_is_refused_where_there_is_nothing_to_rebase_or_not_now(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match=r"adaptd\.yaml names no task nobody"):
        rebase_task(context, "nobody")
    with pytest.raises(Denied, match="has no line of adapters yet"):
        rebase_task(context, TASK)
    context.store.write(lambda tx: registry.ensure_line(tx, TASK, OLD, NOW))
    with pytest.raises(Denied, match="nothing of erd was learned yet"):
        rebase_task(context, TASK)
    learn(context.store)
    with monkeypatch.context() as same, pytest.raises(Denied, match="erd@v1 is on the base aaaaaaaa already"):
        same.setattr(rebase, "base_hash", lambda _: OLD)
        rebase_task(context, TASK)
    first = rebase_task(context, TASK)
    with pytest.raises(Denied, match=rf"update {first.update_id} is queued; wait for it, or end it"):
        rebase_task(context, TASK)
