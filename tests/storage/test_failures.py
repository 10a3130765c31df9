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


def test_the_newest_that_fail_are_looked_for_among_so_many_and_by_index(store: Store) -> None:
    names = [str(at) for at in range(6)]
    store.write(lambda tx: keep(tx, *(example(name, effective_at=later(int(name))) for name in names)))
    found = [Diagnosis(name, NOW, "erd@v0", ("check:keys",) if int(name) < 4 else ("check:KEYS",)) for name in names]
    store.write(lambda tx: failures.save_diagnoses(tx, "erd", found))

    def failing(limit: int, searched: int) -> list[str]:
        newest = store.read(lambda tx: failures.newest_failing(tx, "erd", "check:keys", limit, searched))
        return [one.interaction_id for one in newest]

    assert (failing(9, 9), failing(2, 9), failing(9, 3), failing(9, 2)) == (["3", "2", "1", "0"], ["3", "2"], ["3"], [])
    sql = str(failures._failing("erd", "check:keys", 9, 9).compile(compile_kwargs={"literal_binds": True}))
    plan = store.read(lambda tx: [row.detail for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")])
    assert any("COVERING INDEX ix_example_state" in step for step in plan)
    assert not any("SCAN" in step and "anon" not in step for step in plan)


def test_one_adapters_tally_of_a_kind_is_of_what_was_judged(store: Store) -> None:
    store.write(lambda tx: failures.add_to_tally(tx, "erd", "erd@v0", {"check:keys": 3}, 10))
    store.write(lambda tx: failures.set_gate_tally(tx, "erd", "erd@v1", {"check:keys": 6}, 60))
    kinds = ["check:keys", "feedback:score"]
    first = store.read(lambda tx: failures.tallies_of(tx, "erd", "erd@v0", kinds))
    assert first == {"check:keys": Tally(3, 10), "feedback:score": Tally(0, 10)}
    assert store.read(lambda tx: failures.tallies_of(tx, "erd", "erd@v1", kinds)) == {"check:keys": Tally(6, 60)}
