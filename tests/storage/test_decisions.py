"""Decisions are followed in order, or read newest first."""

from __future__ import annotations

from storage import decisions
from storage.records import Decision
from storage.store import Store
from tests.storage.makers import NOW


def test_decisions_come_back_in_order_and_by_task_and_kind(store: Store) -> None:
    made = [
        Decision(NOW, "batch", "12 of 31", task="erd", detail={"have": 12}),
        Decision(NOW, "verdict", "better", task="erd", subject="erd@v1"),
        Decision(NOW, "config", "reloaded", actor="operator"),
    ]
    first, *_ = [store.write(lambda tx, one=one: decisions.record(tx, one)) for one in made]  # type: ignore[misc]
    listed = store.read(decisions.list_decisions)
    assert [one for _, one in listed] == made
    assert [one for _, one in store.read(lambda tx: decisions.list_decisions(tx, after_id=first))] == made[1:]
    assert [one for _, one in store.read(lambda tx: decisions.list_decisions(tx, "erd", "verdict"))] == [made[1]]
    newest = store.read(lambda tx: decisions.list_decisions(tx, limit=2, newest=True))
    assert [one for _, one in newest] == [made[2], made[1]]
