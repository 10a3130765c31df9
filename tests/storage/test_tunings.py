"""Studies and tunings: one open study a task, none changed after its end, no version forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from storage import tunings
from storage.errors import IllegalChange, StaleUpdate
from storage.records import Study, Tuning
from storage.store import Store
from storage.tables import study as study_table
from tests.storage.makers import NOW, later

KNOBS = [{"name": "steps", "low": 4.0, "high": 12.0}]


def opened(store: Store, task: str = "erd") -> Study:
    return store.write(
        lambda tx: tunings.open_study(tx, task, "sft", "base", wanted=24, rows=30, knobs=KNOBS, reason="first", now=NOW)
    )


def adopted(store: Store, settings: dict[str, float], **more: Any) -> Tuning:
    configured = {"steps": "auto"}
    return store.write(
        lambda tx: tunings.adopt(
            tx, "erd", "sft", "base", settings=settings, configured=configured, reason="won", now=NOW, **more
        )
    )


def test_a_study_is_kept_as_it_was_opened_and_changed(store: Store) -> None:
    study = opened(store)
    best = {"number": 1, "value": 0.5, "settings": {"steps": 8}}
    changed = store.write(lambda tx: tunings.change_study(tx, study, "open", later(5), done=3, best=best))
    assert store.read(lambda tx: tunings.open_study_of(tx, "erd")) == changed
    assert (changed.done, changed.best, changed.knobs, changed.changed_at) == (3, best, KNOBS, later(5))


def test_a_task_has_one_open_study_whatever_the_code_above_does(store: Store) -> None:
    study = opened(store)
    opened(store, "another")
    with pytest.raises(StaleUpdate, match="open study already"):
        opened(store)
    with pytest.raises(IntegrityError):
        store.write(lambda tx: tx.execute(study_table.update().values(task="erd")))
    store.write(lambda tx: tunings.change_study(tx, study, "kept", NOW))
    assert opened(store).study_id > study.study_id


def test_a_study_that_has_ended_is_not_changed_by_whoever_did_not_know(store: Store) -> None:
    study = opened(store)
    store.write(lambda tx: tunings.change_study(tx, study, "cancelled", NOW))
    with pytest.raises(StaleUpdate):
        store.write(lambda tx: tunings.change_study(tx, study, "adopted", NOW))
    with pytest.raises(IllegalChange, match="knobs of a study"):
        store.write(lambda tx: tunings.change_study(tx, study, "open", NOW, knobs=[]))


def test_tunings_are_versions_of_which_the_newest_counts(store: Store) -> None:
    assert store.read(lambda tx: tunings.newest_tuning(tx, "erd")) is None
    first = adopted(store, {"steps": 8.0}, study_id=opened(store).study_id, evidence={"gain": 0.1})
    second = adopted(store, {}, actor="operator")
    assert (first.version, second.version) == (1, 2)
    assert store.read(lambda tx: tunings.newest_tuning(tx, "erd")) == second
    assert store.read(lambda tx: tunings.list_tunings(tx, "erd")) == [second, first]
    assert store.read(lambda tx: tunings.newest_tuning(tx, "another")) is None
