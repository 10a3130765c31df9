"""The gym: one process that holds a base, trains real train jobs on it, lets the outcome answer, and scores that.

Training is the product's: a job directory as the daemon writes it, done by the worker's own code in this process, so
that torch loads once. Answers are greedy and decoded by the local engine's model. Nothing here is a second trainer; the
two liberties it takes are a look at the weights every few steps, and an order of arrival that the product does not
offer.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import transformers.trainer
from transformers import TrainerCallback
from transformers.utils import logging as transformers_logging

from bench.learning.metrics import Metrics, measure
from bench.learning.tasks import Ask, Judged, Task, find_task
from bench.learning.users import Reply
from examples.erd.world import Pool
from learners import job as contract
from learners.base import base_hash
from learners.engines.local.model import Model, ModelLimits
from learners.engines.wire import Sampling
from learners.job_files import read_made, read_plan, read_result, write_job, write_pool, write_rows
from learners.plan import Plan
from learners.preference import PhaseRows, rows_to_judge_by, rows_to_train
from learners.router import Methods
from learners.training import planning
from learners.training.adapters import write_adapter
from learners.training.worker import perform
from storage.records import Message, Row

CONTEXT = 512
PLAIN_PROMPTS, RARE_PROMPTS = 120, 60  # on which a cell is scored
LORA = contract.Lora(rank=16, alpha=32, dropout=0.0)


@dataclass(frozen=True, slots=True)
class Trained:
    """A train job that has ended. `steps` are lines of rows.jsonl by step, beyond its last those of `made`, what
    learners made; `snapshots` are (steps done, adapter's folder, CPU seconds of training until then)."""

    adapter: Path
    result: contract.TrainResult
    steps: tuple[tuple[int, ...], ...]
    cpu_s: float
    snapshots: tuple[tuple[int, Path, float], ...] = ()
    made: tuple[Row, ...] = ()


class TrainingFailed(Exception):
    """The job ended without an adapter; the text is the product's reason."""


class Gym:
    """`task` by name, the base's folder, and how many threads torch may use."""

    def __init__(self, task: str, base: Path, threads: int = 1) -> None:
        transformers_logging.disable_progress_bar()
        self.task: Task = find_task(task)
        self.base = contract.Base(path=str(base), hash=base_hash(base))
        self._threads = threads
        self._model = Model(base, ModelLimits(max_adapters=2, max_context=CONTEXT))
        self._scratch = tempfile.TemporaryDirectory(prefix="adaptd-gym-")
        self._jobs = 0
        self.base_replies = lru_cache(maxsize=64)(self._base_replies)
        self.base_metrics = lru_cache(maxsize=64)(self._base_metrics)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes every job directory."""
        self._scratch.cleanup()

    def asks(self, pool: Pool, seed: int, count: int, rare_share: float) -> tuple[Ask, ...]:
        """The first of a pool's asks; always the same for the same arguments."""
        return tuple(islice(self.task.asks(pool, seed, rare_share), count))

    def _base_replies(self, pool: Pool, seed: int, count: int, rare_share: float) -> tuple[Reply, ...]:
        """What the bare base says to those asks."""
        return self.replies(self.asks(pool, seed, count, rare_share), None)

    def replies(self, asks: Sequence[Ask], adapter: Path | None) -> tuple[Reply, ...]:
        """Greedy answers of the base, or of the adapter in that folder."""
        name = None if adapter is None else str(adapter)
        if name is not None:
            self._model.load(name, Path(name))
        try:
            sampling = Sampling(max_tokens=self.task.max_tokens)
            prompts = [self._model.prepare([Message("user", ask.prompt)], sampling) for ask in asks]
            return tuple(Reply(said.text, said.finish_reason) for said in self._model.generate(name, prompts))
        finally:
            if name is not None:
                self._model.unload(name)

    def judge(self, asks: Sequence[Ask], adapter: Path | None) -> list[tuple[Reply, Judged]]:
        """What it says, and what the task's score makes of it."""
        said = self.replies(asks, adapter)
        return [(reply, self.task.judge(ask, reply.text)) for ask, reply in zip(asks, said, strict=True)]

    def exam(self, seed: int) -> tuple[Ask, ...]:
        """The held-out prompts of a seed: plain ones, then ones for an edge case."""
        plain = self.asks(Pool.SCORE, seed, PLAIN_PROMPTS, 0.0)
        return (*plain, *self.asks(Pool.SCORE, seed + 5000, RARE_PROMPTS, 1.0))

    def metrics(self, seed: int, adapter: Path | None) -> Metrics:
        """The exam of that seed."""
        return measure(self.judge(self.exam(seed), adapter), PLAIN_PROMPTS)

    def _base_metrics(self, seed: int) -> Metrics:
        """Of the bare base."""
        return self.metrics(seed, None)

    def train(
        self,
        phases: Sequence[PhaseRows],
        methods: Methods,
        seed: int,
        *,
        start: Path | None = None,
        more: Mapping[str, Any] | None = None,
        pool: Sequence[contract.Pooled] = (),
        arrival: bool = False,
        look_every: int | None = None,
    ) -> Trained:
        """One train job on those phases, from the base or from the adapter `start`; `more` are further fields of the
        job, and with `pool` the worker chooses the batch. Raises TrainingFailed."""
        folder = self.new_folder()
        job = self._write(folder, phases, methods, seed, start).model_copy(update=dict(more or {}))
        if pool:
            write_pool(folder, pool)
        write_job(folder, job)
        looks = _Looks(folder, look_every)
        began = time.process_time()
        with _in_order_of_arrival(arrival), _called_in_every_trainer(looks):
            perform(folder)
        cpu_s = time.process_time() - began - looks.cost_s
        result = read_result(folder)
        assert isinstance(result, contract.TrainResult)
        if result.outcome == "failed":
            raise TrainingFailed(result.reason)
        steps = tuple(step.rows for step in read_plan(folder))
        made = read_made(folder)
        rows = made.rows if made else ()
        return Trained(folder / contract.ADAPTER, result, steps, cpu_s, tuple(looks.taken), rows)

    def search(
        self, job: contract.SearchJob, rows: Sequence[Row], dev: Sequence[Row]
    ) -> tuple[contract.SearchResult, float]:
        """What came of one search job on those rows, and its CPU seconds. Raises TrainingFailed."""
        folder = self.new_folder()
        write_rows(folder / contract.ROWS, rows)
        write_rows(folder / contract.DEV_ROWS, dev)
        model = contract.Model(max_context=CONTEXT, lora=LORA)
        write_job(folder, job.model_copy(update={"model": model, "threads": self._threads}))
        began = time.process_time()
        perform(folder)
        cpu_s = time.process_time() - began
        result = read_result(folder)
        shutil.rmtree(folder, ignore_errors=True)
        assert isinstance(result, contract.SearchResult)
        if result.outcome == "failed":
            raise TrainingFailed(result.reason)
        return result, cpu_s

    def forget(self, trained: Trained) -> None:
        """Removes its job directory."""
        shutil.rmtree(trained.adapter.parent, ignore_errors=True)

    def new_folder(self) -> Path:
        """Empty, and gone when the gym closes."""
        self._jobs += 1
        folder = Path(self._scratch.name) / f"job-{self._jobs:05}"
        folder.mkdir()
        return folder

    def _write(
        self,
        folder: Path,
        phases: Sequence[PhaseRows],
        methods: Methods,
        seed: int,
        start: Path | None,
    ) -> contract.TrainJob:
        """Rows and job as `daemon.training` writes them."""
        settings = {method.name: settings.model_dump() for method, settings in methods}
        rows, dev = [rows_to_train(phase) for phase in phases], [rows_to_judge_by(phase) for phase in phases]
        told = tuple(
            contract.Phase(method=phase.method, settings=settings[phase.method], rows=len(mine), dev_rows=len(judging))
            for phase, mine, judging in zip(phases, rows, dev, strict=True)
        )
        write_rows(folder / contract.ROWS, [row for mine in rows for row in mine])
        write_rows(folder / contract.DEV_ROWS, [row for judging in dev for row in judging])
        return contract.TrainJob(
            task=self.task.name,
            update_id=self._jobs,
            threads=self._threads,
            candidate=f"{self.task.name}@v{self._jobs}",
            phases=told,
            seed=seed,
            base=self.base,
            start=contract.Start(mode="champion" if start else "base", adapter_path=str(start) if start else None),
            model=contract.Model(max_context=CONTEXT, lora=LORA),
        )


class _Looks(TrainerCallback):
    """Writes the adapter as it is after every so many steps, and keeps its own cost out of the training's."""

    def __init__(self, folder: Path, every: int | None) -> None:
        self._folder, self._every, self._done = folder, every, 0
        self._began = time.process_time()
        self.cost_s = 0.0
        self.taken: list[tuple[int, Path, float]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        self._done += 1  # over all phases
        if self._every is None or self._done % self._every:
            return
        now = time.process_time()
        into = self._folder / f"look-{self._done:04}"
        into.mkdir()
        write_adapter(model, into)
        self.taken.append((self._done, into / contract.ADAPTER, now - self._began - self.cost_s))
        self.cost_s += time.process_time() - now


@contextmanager
def _called_in_every_trainer(looks: _Looks) -> Iterator[None]:
    transformers.trainer.DEFAULT_CALLBACKS.append(looks)
    try:
        yield
    finally:
        transformers.trainer.DEFAULT_CALLBACKS.remove(looks)


@contextmanager
def _in_order_of_arrival(wanted: bool) -> Iterator[None]:
    """Instead of a random order, rows in the order in which they came, pass after pass."""
    if not wanted:
        yield
        return
    with patch.object(planning, "random_plan", arrival_plan):
        yield


def arrival_plan(n_rows: int, *, batch_size: int, steps: int, seed: int) -> Plan:  # noqa: ARG001
    """Rows 0, 1, 2, ... and again from 0, `batch_size` a step."""
    size = min(batch_size, n_rows)
    return Plan(tuple(tuple((step * size + at) % n_rows for at in range(size)) for step in range(steps)))
