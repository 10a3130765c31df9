"""The batches that became updates, with their reasons."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from daemon.actions.batches import list_batches
from daemon.actions.context import Context
from storage import decisions
from storage.artifacts import Artifacts
from storage.records import Decision
from tests.daemon.desk import NOW, Desk


def test_batches_that_became_updates_are_listed_newest_first_with_why(desk: Desk, tmp_path: Path) -> None:
    for number, task in enumerate(("erd", "other", "erd")):
        detail = {"have": 21, "need": 20 + number, "cap": 4, "users": 6, "batch": 21, "most_of_one_user": 3}
        at = NOW + timedelta(minutes=number)
        made = Decision(at, "batch", f"21 of {20 + number} examples", task, f"update {number}", detail=detail)
        desk.store.write(lambda tx, made=made: decisions.record(tx, made))  # type: ignore[misc]
    desk.store.write(lambda tx: decisions.record(tx, Decision(NOW, "verdict", "promoted", "erd", "erd@v1")))
    context = Context(desk.store, Artifacts(tmp_path), lambda: desk.config)
    found = list_batches(context, "erd", 10)
    assert [(one.update, one.need, one.size, one.most_of_one_user) for one in found.begun] == [
        ("update 2", 22, 21, 3),
        ("update 0", 20, 21, 3),
    ]
    assert found.now == []
