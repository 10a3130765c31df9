"""What is read while a trainer runs: progress for people, and the dev fold for early stopping.

The dev fold is read at `READINGS` evenly spaced steps. The weights of its best reading are kept in memory and put
back at the end. Fewer than `MIN_DEV_ROWS` rows say nothing; then every step counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from learners.hooks.contract import Stage
from learners.job import Progress
from learners.job_files import append_progress
from learners.training.adapters import put_weights, weights_of

READINGS = 6
MIN_DEV_ROWS = 8
OnReading = Callable[[int, float], None]  # the number of the reading, from 1, and the loss


class ProgressWriter(TrainerCallback):
    """One line of progress.jsonl a step of a phase; `done` steps of all `total` came before it."""

    def __init__(self, directory: Path, phase: str, done: int, total: int, stages: Sequence[Stage] = ()) -> None:
        self._directory, self._phase = directory, phase
        self._done, self._total = done, total
        self._stages = [stage.name for stage in stages for _ in range(stage.steps)]

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        logs = logs or {}
        if "loss" in logs or "eval_loss" in logs:
            append_progress(
                self._directory,
                Progress(
                    at=datetime.now(UTC),
                    done=self._done + state.global_step,
                    total=self._total,
                    phase=self._phase,
                    stage=self._stages[state.global_step - 1] if self._stages and state.global_step else None,
                    loss=logs.get("loss"),
                    dev_loss=logs.get("eval_loss"),
                ),
            )


class ReadingTeller(TrainerCallback):
    """Passes each reading of the dev fold on."""

    def __init__(self, tell: OnReading) -> None:
        self._tell, self._readings = tell, 0

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:  # noqa: ARG002
        self._readings += 1
        self._tell(self._readings, metrics["eval_loss"])


class BestOfDev(TrainerCallback):
    """Stops after `patience` readings without a better one, and remembers the best weights."""

    def __init__(self, model: Any, steps: int, patience: int) -> None:
        self.best_loss = inf
        self.best_step: int | None = None
        self.stopped_early = False
        self.weights: dict[str, torch.Tensor] = {}
        self._model = model
        self._patience = patience
        self.worse = 0
        self._read_at = {round(reading * steps / READINGS) for reading in range(1, READINGS + 1)} - {0}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        control.should_evaluate = state.global_step in self._read_at

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:  # noqa: ARG002
        if metrics["eval_loss"] < self.best_loss:
            self.best_loss, self.best_step, self.worse = metrics["eval_loss"], state.global_step, 0
            self.weights = weights_of(self._model)
            return
        self.worse += 1
        if self.worse >= self._patience and state.global_step < state.max_steps:
            self.stopped_early = control.should_training_stop = True

    def put_best(self) -> None:
        put_weights(self._model, self.weights)

    def words(self) -> str:
        ended = "stopped early" if self.stopped_early else "ran to the end"
        return f"on: {ended}, best at step {self.best_step}"
