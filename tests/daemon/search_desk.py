"""A search with a clock of its own and an executor that does as it is told, for the tests around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.actions.context import Context
from daemon.config import Config, TaskConfig
from daemon.executors import Handle, JobStatus
from daemon.searching import Searching
from learners.job import Base, BestTrial, SearchJob, SearchResult, SeedPair
from learners.job_files import read_job, write_result
from storage import registry, tunings
from storage.artifacts import Artifacts
from storage.records import Message, Target
from storage.store import Store
from tests.daemon.test_jobs import FakeExecutor
from tests.storage.makers import NOW, example, keep

BUSY = "update 7 of erd is queued"


def config(base: Path | str = "base", **own: Any) -> Config:
    sections = {"learners": {"hyperparameters": True}, "hyperparameters": {"idle": "0s", "trials": 16}}
    return Config.model_validate(
        {
            "model": {"base": str(base), "max_context": 256, "lora": {"rank": 4, "alpha": 8}},
            "rewards": {"settle": "0s"},
            "batching": {"min": 10, "max": 40, "max_share_per_user": 1, "min_users": 1},
            "updates": {"threads": 1, "sft": {"learning_rate": 0.02, "steps": 6, "batch_size": 4}},
            "tasks": {"erd": {**sections, **own}},
        }
    )


def task_of(whole: Config) -> TaskConfig:
    task = whole.task("erd")
    assert task is not None
    return task


def fill(store: Store, base: str = "hash", train: int = 12, dev: int = 8) -> None:
    """Corrections, each of a prompt of its own."""
    for fold, count in (("train", train), ("dev", dev)):
        found = [
            replace(
                example(f"{fold}{i}", correction=Target(f"answer {i}", 0.2, NOW, "u1"), scalar=None),
                messages=(Message("user", f"question {fold} {i}"),),
            )
            for i in range(count)
        ]
        store.write(lambda tx, found=found, fold=fold: keep(tx, *found, fold=fold))  # type: ignore[misc]
    store.write(lambda tx: registry.ensure_line(tx, "erd", base, NOW))


class Desk:
    """Searching with a clock of its own, and an executor that does as it is told."""

    def __init__(self, store: Store, folder: Path, base: str = "hash") -> None:
        self.store, self.config, self.now_s = store, config(), 0.0
        self.executor = FakeExecutor()
        self.folder: Path | None = None
        self.executor.submit = self._submit  # type: ignore[method-assign]
        self.searching = Searching(
            store,
            folder,
            self.executor,
            Base(path="base", hash=base),
            lambda: self.config,
            lambda: NOW,
            lambda: self.now_s,
        )
        live = type("Live", (), {"roles": ("learn",), "search_of": lambda _, task: self.searching.words(task)})()
        self.context = Context(store, Artifacts(folder), lambda: self.config, lambda: NOW, live=live)

    def _submit(self, directory: Path) -> Handle:
        self.folder, self.executor.says = directory, JobStatus("running")
        return Handle(directory, 1)

    def tick(self, busy: str = "", after_s: float = 1.0) -> None:
        self.now_s += after_s
        self.searching.tick([task_of(self.config)], busy)

    def job(self) -> SearchJob | None:
        """The job that was submitted since the last call."""
        folder, self.folder = self.folder, None
        found = read_job(folder) if folder else None
        assert found is None or isinstance(found, SearchJob)
        return found

    def ends(self, result: SearchResult) -> None:
        assert self.searching._search is not None
        write_result(self.searching._search.handle.directory, result)
        self.executor.says = JobStatus("done")
        self.tick()

    def tries(self, finished: int, **best: float) -> SearchResult:
        settings = {"learning_rate": 0.02, "passes": 2.0, **best}
        return SearchResult(
            outcome="searched", reason="", finished=finished, best=BestTrial(number=3, value=0.5, settings=settings)
        )

    def study(self) -> Any:
        return self.store.read(lambda tx: tunings.list_studies(tx, "erd"))[0]


def adopted(desk: Desk, gain: float = 0.2) -> None:
    """Sixteen trials over two idle periods, then a comparison."""
    desk.tick()
    desk.ends(desk.tries(12, learning_rate=0.05))
    desk.tick(busy=BUSY)
    desk.tick()
    desk.ends(desk.tries(16, learning_rate=0.05))
    desk.job()
    desk.tick()
    seeds = (1, 2, 3)
    pairs = tuple(SeedPair(seed=seed, against=1.0, settings=1.0 - gain) for seed in seeds)
    desk.ends(SearchResult(outcome="searched", reason="", objective="dev loss", pairs=pairs))
