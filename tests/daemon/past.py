"""A task with a past: updates of every fate, scores, rewards that rise, learners switched on halfway."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.config import Config
from storage import registry, updates
from storage.artifacts import Artifacts
from storage.records import Adapter, Score, Signal, codec
from storage.store import Store
from storage.tables import score
from storage.tables import updates as rows
from tests.storage.makers import NOW, example, insert, keep, later, rating

TASK = "erd"
FATES = ("promoted", "promoted", "rejected", "promoted", "held", "failed")
CURVE = {"method": "sft", "steps": [1, 2, 3, 4], "loss": [3.0, 2.0, 1.5, 1.4], "dev_steps": [2, 4], "dev": [2.2, 2.0]}


def context_of(store: Store, folder: Path, **config: Any) -> Context:
    config = {"tasks": {TASK: {}}, "storage": {"artifacts": str(folder)}, **config}
    whole = Config.model_validate(config)
    return Context(store, Artifacts(folder), lambda: whole, lambda: later(9999))


def report(number: int) -> dict[str, Any]:
    """What an update that was judged says of itself."""
    phase = {
        "method": "sft",
        "steps": 4,
        "steps_planned": 4,
        "trained": 16,
        "best_step": 4,
        "early_stopping": "on: ran to the end",
        "stages": [{"name": "easy", "steps": 2, "rows": 3}, {"name": "hard", "steps": 2, "rows": 6}],
    }
    verdict = {
        "primary": "validator",
        "prompts": 60,
        "difference": 0.05 * number,
        "interval": [0.05 * number - 0.04, 0.05 * number + 0.04],
        "champion_score": 0.5,
        "candidate_score": 0.5 + 0.05 * number,
    }
    did = {"curriculum": {"did": ["three stages"], "numbers": {"noise": 0.1, "left_out": 1.0}}}
    training = {"phases": [phase], "seconds": {"train": 3.2, "total": 4.0}, "learners": did if number > 2 else {}}
    learners = {"curriculum": number > 2, "preference": "auto"}
    return {"batch": [[f"i{number}", 1]], "learners": learners, "training": training, "verdict": verdict}


def live_through(store: Store, *, base: str = "a" * 64) -> None:
    """Six updates, an example of its own in each, and fifty signals of which each is a little better."""
    store.write(lambda tx: _live(tx, base))


def _live(tx: Connection, base: str) -> None:
    line = registry.ensure_line(tx, TASK, base, NOW)
    updates.save_scores(tx, [Score(line.champion, "validator", 0.5, 60, NOW)])
    for number, fate in enumerate(FATES, 1):
        _feedback(tx, number)
        update = updates.create_update(tx, TASK, line.champion, "ripe", later(100 * number))
        update = updates.change_update(tx, update, "running", later(100 * number), batch_size=20 + number, pool_size=60)
        if fate == "failed":
            updates.change_update(tx, update, "failed", later(100 * number), reason="no change", report={"batch": []})
            continue
        name = f"{TASK}@v{number}"
        told = {"candidate": name, "report": {**report(number), "curves": [CURVE]}}
        update = updates.change_update(tx, update, "trained", later(100 * number), **told)
        candidate = Adapter(name, TASK, number, base, line.champion, update.update_id, later(100 * number), "candidate")
        registry.add_candidate(tx, candidate)
        updates.save_scores(tx, [Score(name, "validator", 0.5 + 0.05 * number, 60, later(100 * number))])
        updates.change_update(tx, update, fate, later(100 * number))  # type: ignore[arg-type]
        if fate == "promoted":
            registry.promote(tx, TASK, name, line.champion, later(100 * number))
            line = registry.ensure_line(tx, TASK, base, NOW)


def _feedback(tx: Connection, number: int) -> None:
    """Ten signals before each update, on one example."""
    at = later(100 * number - 50)
    keep(tx, example(f"i{number}"))
    ids = [f"e{number}-{n}" for n in range(10)]
    worth = [Signal(0.1 * number + 0.02 * n, "test") for n in range(10)]
    told = zip(ids, worth, strict=True)
    events = [rating(one, f"i{number}", signal=signal, received_at=at, effective_at=at) for one, signal in told]
    insert(tx, events)


def change_validator(store: Store) -> None:
    """What was measured so far was by one validator; the champion and the held candidate now are by a stricter one."""

    def measure(tx: Connection) -> None:
        updates.save_scores(tx, [replace(one, yardstick="old") for one in updates.scores(tx, TASK)])
        again = (f"{TASK}@v4", f"{TASK}@v5")
        updates.save_scores(tx, [Score(name, "validator", 0.3, 60, later(1000), "new") for name in again])

    store.write(measure)


def use_likelihood(store: Store) -> None:
    """The validator was taken away: two champions and the held candidate were measured by likelihood since."""
    worth = {2: 0.6, 4: 0.7, 5: 0.65}
    new = [Score(f"{TASK}@v{at}", "nll", value, 60, later(1000), "base a") for at, value in worth.items()]
    store.write(lambda tx: updates.save_scores(tx, new))


def rebase(store: Store, *, served: bool) -> None:
    """A line on another base: its bare base and, where that is `served`, a champion of its own."""
    store.write(lambda tx: _rebase(tx, served=served))


def _rebase(tx: Connection, *, served: bool) -> None:
    line = registry.ensure_line(tx, TASK, "b" * 64, later(700))
    updates.save_scores(tx, [Score(line.champion, "validator", 0.5, 60, later(700))])
    if served:
        name, version = f"{TASK}@v7", 7
        registry.add_candidate(
            tx, Adapter(name, TASK, version, "b" * 64, line.champion, 5, later(710), "candidate", directory="erd/v7")
        )
        updates.save_scores(tx, [Score(name, "validator", 0.6, 60, later(710))])
        registry.promote(tx, TASK, name, line.champion, later(710))


def judge_by(store: Store, primary: str) -> None:
    """Nothing was ever saved of the adapters but what the reports say: read by that primary."""

    def change(tx: Connection) -> None:
        tx.execute(score.delete())
        for update in updates.list_updates(tx, TASK):
            if verdict := update.report.get("verdict"):
                report = {**update.report, "verdict": {**verdict, "primary": primary}}
                tx.execute(rows.update().where(rows.c.update_id == update.update_id).values(report=to_json(report)))

    store.write(change)


def to_json(report: dict[str, Any]) -> str:
    return codec.to_json(report).decode()
