"""The store of failures: looks at examples, kinds, and tallies that add up."""

from __future__ import annotations

from dataclasses import replace

from storage import failures
from storage.records import Diagnosis, Failure, Tally
from storage.store import Store
from tests.storage.makers import NOW, example, keep, later

KEYS = Failure("erd", "check:keys", 3, NOW, later(5), "open", later(6))
CLUSTER = Failure("erd", "prompts:1", 1, NOW, NOW, "open", NOW, words=(7, 4_000_000_000))


def test_kinds_are_kept_whole_and_replaced_by_name(store: Store) -> None:
    store.write(lambda tx: failures.save_failures(tx, [KEYS, CLUSTER, replace(KEYS, task="other")]))
    fixed = replace(KEYS, state="fixed", state_since=later(9), count=4)
    store.write(lambda tx: failures.save_failures(tx, [fixed]))
    assert store.read(lambda tx: failures.list_failures(tx, "erd")) == [fixed, CLUSTER]


def test_the_newest_look_at_an_example_counts(store: Store) -> None:
    store.write(lambda tx: keep(tx, example("a"), example("b"), example("a", task="other")))
    first = [Diagnosis("a", NOW, "erd@v0", ("check:keys",)), Diagnosis("b", NOW, "erd@v0", ())]
    store.write(lambda tx: failures.save_diagnoses(tx, "erd", [*first, Diagnosis("gone", NOW, "erd@v0", ())]))
    store.write(lambda tx: failures.save_diagnoses(tx, "erd", [Diagnosis("a", later(9), "erd@v0", ("x", "y"))]))
    wanted = {"a", "b", "gone"}
    assert store.read(lambda tx: failures.kinds_of(tx, "erd", wanted)) == {"a": ("x", "y"), "b": ()}
    assert store.read(lambda tx: failures.diagnosed_at(tx, "erd", wanted)) == {"a": later(9), "b": NOW}
    assert store.read(lambda tx: failures.kinds_of(tx, "other", wanted)) == {}


def test_feedback_adds_up_and_a_judging_replaces_the_one_before(store: Store) -> None:
    store.write(lambda tx: failures.add_to_tally(tx, "erd", "erd@v0", {"check:keys": 3, "feedback:score": 2}, 10))
    store.write(lambda tx: failures.add_to_tally(tx, "erd", "erd@v0", {"check:keys": 1}, 5))
    for failed in (60, 40):
        store.write(lambda tx, failed=failed: failures.set_gate_tally(tx, "erd", "erd@v0", {"check:keys": failed}, 60))  # type: ignore[misc]
    store.write(lambda tx: failures.set_gate_tally(tx, "erd", "erd@v1", {}, 60))
    assert store.read(lambda tx: failures.tallies(tx, "erd")) == {
        "check:keys": {"erd@v0": Tally(44, 75), "erd@v1": Tally(0, 60)},
        "feedback:score": {"erd@v0": Tally(2, 15)},
    }
