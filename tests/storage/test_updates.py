"""Changes of updates and jobs are compare-and-swaps; who holds an old lease or an old state loses (I5)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from storage import registry, updates
from storage.errors import IllegalChange, StaleUpdate, StorageError
from storage.records import TERMINAL_UPDATE_STATES, UPDATE_STATES, Job, Look, Score, Update, UpdateState
from storage.store import Store
from tests.storage.makers import NOW, later

PATHS: dict[UpdateState, tuple[UpdateState, ...]] = {
    "queued": (),
    "running": ("running",),
    "trained": ("running", "trained"),
    "held": ("running", "trained", "held"),
}


def made(store: Store, state: UpdateState = "queued", task: str = "erd") -> Update:
    found = store.write(lambda tx: updates.create_update(tx, task, "erd@v0", "ripe", NOW))
    for step in PATHS[state]:
        found = moved(store, found, step)
    return found


def moved(store: Store, current: Update, to: UpdateState) -> Update:
    return store.write(lambda tx: updates.change_update(tx, current, to, later(1)))


def test_an_update_carries_what_was_learned_of_it(store: Store) -> None:
    first = made(store)
    report = {"gate": {"interval": [0.1, 0.2]}}
    changed = store.write(
        lambda tx: updates.change_update(
            tx, first, "running", later(1), pool_size=9, batch_size=7, candidate="erd@v1", reason="why", report=report
        )
    )
    assert store.read(lambda tx: updates.get_update(tx, first.update_id)) == changed
    assert (changed.state, changed.pool_size, changed.batch_size, changed.report) == ("running", 9, 7, report)
    assert store.read(lambda tx: updates.get_update(tx, 99)) is None


def test_of_two_who_hold_the_same_update_one_moves_it(store: Store) -> None:
    held = made(store)
    moved(store, held, "running")
    with pytest.raises(StaleUpdate, match=f"update {held.update_id}"):
        moved(store, held, "cancelled")


def test_a_daemon_that_lost_its_lease_changes_nothing(store: Store) -> None:
    old = made(store, "running")
    (taken, *_), _ = store.write(lambda tx: updates.take_over(tx, later(2)))
    assert taken.lease_epoch == old.lease_epoch + 1
    with pytest.raises(StaleUpdate):
        moved(store, old, "trained")
    assert moved(store, taken, "trained").state == "trained"


def test_taking_over_leaves_what_has_ended(store: Store) -> None:
    ended = moved(store, made(store), "cancelled")
    assert store.write(lambda tx: updates.take_over(tx, later(2))) == ([], [])
    assert store.read(lambda tx: updates.get_update(tx, ended.update_id)) == ended


@pytest.mark.parametrize("state", sorted(TERMINAL_UPDATE_STATES))
def test_an_update_that_has_ended_stays_as_it_is(store: Store, state: UpdateState) -> None:
    before: UpdateState = "trained" if state in ("promoted", "rejected", "expired") else "running"
    ended = moved(store, made(store, before), state)
    for other in UPDATE_STATES:
        with pytest.raises(IllegalChange):
            moved(store, ended, other)


@pytest.mark.parametrize(("state", "to"), [("queued", "promoted"), ("running", "held"), ("held", "trained")])
def test_an_update_cannot_skip_a_step(store: Store, state: UpdateState, to: UpdateState) -> None:
    with pytest.raises(IllegalChange):
        moved(store, made(store, state), to)


def test_a_crashed_update_may_wait_again_with_its_attempts_counted(store: Store) -> None:
    running = made(store, "running")
    again = store.write(lambda tx: updates.change_update(tx, running, "queued", later(1), attempts=1))
    assert (again.state, again.attempts) == ("queued", 1)
    same = store.write(lambda tx: updates.change_update(tx, again, "queued", later(2), reason="waits"))
    assert same.reason == "waits"


def test_the_number_or_task_of_an_update_cannot_be_changed(store: Store) -> None:
    current = made(store)
    with pytest.raises(IllegalChange, match="task"):
        store.write(lambda tx: updates.change_update(tx, current, "running", NOW, task="sql"))


def test_one_candidate_of_a_task_is_held(store: Store) -> None:
    made(store, "held")
    second = made(store, "trained")
    with pytest.raises(IntegrityError):
        moved(store, second, "held")
    made(store, "held", task="sql")


def test_what_runs_and_what_is_held(store: Store) -> None:
    held, running = made(store, "held"), made(store, "running")
    made(store)
    assert store.read(lambda tx: updates.running_update(tx, "erd")) == running
    assert store.read(lambda tx: updates.held_update(tx, "erd")) == held
    assert store.read(lambda tx: updates.running_update(tx, "sql")) is None
    assert len(store.read(updates.unfinished_updates)) == 3


def test_lists_and_totals(store: Store) -> None:
    first, other = made(store), made(store, task="sql")
    moved(store, first, "failed")
    assert [one.update_id for one in store.read(updates.list_updates)] == [other.update_id, first.update_id]
    assert len(store.read(lambda tx: updates.list_updates(tx, "erd", 5))) == 1
    totals = store.read(lambda tx: updates.totals(tx, "erd"))
    assert totals == {**dict.fromkeys(UPDATE_STATES, 0), "failed": 1}


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["take", "running", "trained", "promoted", "failed"]))))
@settings(max_examples=150, deadline=None)
def test_of_two_daemons_only_the_newest_leader_changes_an_update(
    empty: Engine, steps: list[tuple[int, UpdateState]]
) -> None:
    with empty.connect() as tx:
        first = updates.create_update(tx, "erd", "erd@v0", "ripe", NOW)
        holds = {0: first, 1: first}
        for who, step in steps:
            before = updates.get_update(tx, first.update_id)
            assert before is not None
            if step == "take":  # type: ignore[comparison-overlap]
                taken, _ = updates.take_over(tx, NOW)
                holds[who] = taken[0] if taken else holds[who]
                continue
            fresh = (holds[who].lease_epoch, holds[who].state) == (before.lease_epoch, before.state)
            try:
                holds[who] = updates.change_update(tx, holds[who], step, NOW)
                assert fresh
            except StaleUpdate:
                assert not fresh
            except IllegalChange:
                pass


def job(store: Store, update: Update, attempt: int = 1) -> Job:
    directory = f"u{update.update_id}/train-{attempt}"
    return store.write(lambda tx: updates.create_job(tx, update.update_id, "train", attempt, 1, directory, NOW))


def test_a_job_goes_from_queued_to_done_under_its_lease(store: Store) -> None:
    first = job(store, made(store))
    running = store.write(lambda tx: updates.change_job(tx, first, "running", later(1)))
    done = store.write(lambda tx: updates.change_job(tx, running, "done", later(2)))
    assert store.read(lambda tx: updates.list_jobs(tx, first.update_id)) == [done]
    assert store.read(updates.unfinished_jobs) == []
    with pytest.raises(IllegalChange):
        store.write(lambda tx: updates.change_job(tx, done, "running", NOW))


def test_a_zombies_job_changes_nothing(store: Store) -> None:
    old = job(store, made(store))
    _, (taken,) = store.write(lambda tx: updates.take_over(tx, later(1)))
    with pytest.raises(StaleUpdate):
        store.write(lambda tx: updates.change_job(tx, old, "running", NOW))
    failed = store.write(lambda tx: updates.change_job(tx, taken, "failed", NOW, "killed by signal 9"))
    assert failed.error == "killed by signal 9"


def test_an_attempt_is_made_once(store: Store) -> None:
    update = made(store)
    job(store, update)
    with pytest.raises(StorageError, match="attempt 1"):
        job(store, update)
    assert job(store, update, 2).attempt == 2


def test_a_look_is_taken_once(store: Store) -> None:
    number = made(store).update_id
    readings = [Look(number, n, 60, "hold", "too few", NOW, {"n": n}) for n in (1, 2)]
    for reading in readings:
        store.write(lambda tx, reading=reading: updates.save_look(tx, reading))  # type: ignore[misc]
    assert store.read(lambda tx: updates.looks(tx, number)) == readings
    assert store.read(lambda tx: updates.last_looks(tx, "erd", 1)) == readings[1:]
    assert store.read(lambda tx: updates.last_looks(tx, "sql", 5)) == []
    with pytest.raises(StaleUpdate, match="look 1"):
        store.write(lambda tx: updates.save_look(tx, readings[0]))


def test_the_newest_score_by_adapter_and_metric_stays(store: Store) -> None:
    store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
    old, new = (Score("erd@v0", "validator", value, 60, NOW, by) for value, by in ((0.5, "old"), (0.6, "new")))
    store.write(lambda tx: updates.save_scores(tx, [old]))
    store.write(lambda tx: updates.save_scores(tx, [new, Score("erd@v0", "nll", 0.1, 60, NOW)]))
    assert [one.metric for one in store.read(lambda tx: updates.scores(tx, "erd"))] == ["nll", "validator"]
    assert new in store.read(lambda tx: updates.scores(tx, "erd"))
    assert store.read(lambda tx: updates.scores(tx, "sql")) == []
