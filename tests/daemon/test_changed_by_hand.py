"""What becomes of candidates when the champion is changed by hand while they are judged."""

from __future__ import annotations

from pathlib import Path

from daemon.actions.adapters import promote_adapter, roll_back
from daemon.evaluations import contender, evaluate_job
from learners.job import EvaluateResult
from learners.job_files import write_answers, write_job, write_result
from storage import decisions, registry
from storage.records import Update
from storage.store import Store
from tests.daemon.candidates import TASK, Bench


def judged(bench: Bench, folder: Path, update: Update, against: str) -> None:
    """A worker has answered for the candidate and that champion."""
    found = bench.store.read(lambda tx: [registry.get_adapter(tx, name) for name in (update.candidate or "", against)])
    both = [contender(one, bench.artifacts, {}) for one in found if one is not None]
    folder.mkdir()
    write_job(folder, evaluate_job(update, 1, bench.config, bench.task, (both[0], both[1]), (), "http://x", folder))
    write_answers(folder, [])
    write_result(folder, EvaluateResult(outcome="evaluated", reason=""))
    bench.jobs.done[update.update_id] = folder


def test_a_verdict_against_a_champion_of_before_is_none(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    bench.candidate("held")
    promote_adapter(bench.context, "erd@v1")
    update = bench.candidate("trained")
    judged(bench, tmp_path / "job", update, "erd@v1")
    roll_back(bench.context, TASK)
    bench.judging.step(update, bench.task)
    assert bench.now(update).state == "trained"
    said = [one.reason for _, one in store.read(lambda tx: decisions.list_decisions(tx, TASK))]
    assert "erd@v1 is no longer the champion; judged again" in said


def test_without_a_gate_a_candidate_takes_the_place_of_whoever_reigns(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path, gate={"enabled": False})
    older, update = bench.candidate("trained"), bench.candidate("trained")
    promote_adapter(bench.context, str(older.candidate))
    bench.judging.step(update, bench.task)
    assert (bench.now(update).state, bench.champion) == ("promoted", "erd@v2")


def test_a_champion_is_not_rejected_with_the_update_that_made_it(store: Store, tmp_path: Path) -> None:
    """As in a store in which promotion by hand did not end the update."""
    bench = Bench(store, tmp_path)
    update = bench.candidate("held")
    store.write(lambda tx: registry.set_champion(tx, TASK, "erd@v1", update.created_at, "by hand"))
    bench.judging.expire(update, "erd@v2 is newer")
    assert (bench.now(update).state, bench.state_of("erd@v1"), bench.counts()) == ("expired", "champion", (3, 0, 0))
