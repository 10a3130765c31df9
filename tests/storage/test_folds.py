"""A fold is drawn once; counts follow what was drawn."""

from __future__ import annotations

from storage import folds
from storage.records import FoldCounts
from storage.store import Store
from tests.storage.makers import NOW


def test_the_first_draw_of_a_key_stays(store: Store) -> None:
    store.write(lambda tx: folds.save_folds(tx, {("erd", "a"): "gate", ("erd", "b"): "train"}, NOW))
    store.write(lambda tx: folds.save_folds(tx, {("erd", "a"): "train", ("erd", "c"): "dev"}, NOW))
    assert store.read(lambda tx: folds.folds_of(tx, "erd", "abcd")) == {"a": "gate", "b": "train", "c": "dev"}


def test_counts_are_by_task_and_count_a_key_once(store: Store) -> None:
    store.write(lambda tx: folds.save_folds(tx, {("erd", "a"): "gate", ("sql", "a"): "dev"}, NOW))
    store.write(lambda tx: folds.save_folds(tx, {("erd", "a"): "gate", ("erd", "b"): "gate"}, NOW))
    assert store.read(lambda tx: folds.fold_counts(tx, "erd")) == FoldCounts(gate=2)
    assert store.read(lambda tx: folds.fold_counts(tx, "sql")) == FoldCounts(dev=1)
    assert store.read(lambda tx: folds.fold_counts(tx, "new")) == FoldCounts()


def test_the_secret_is_made_with_the_store_and_kept(url: str) -> None:
    with Store.open(url) as store:
        secret = store.read(folds.fold_secret)
    with Store.open(url) as store:
        assert store.read(folds.fold_secret) == secret
    assert len(secret) == 32
