"""What one phase of a training run is given, and what it leaves behind.

Why apart from `phases`: every method's module takes the one and returns the other, and none of them knows of the rest.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from typing import Any

from transformers.trainer_callback import PrinterCallback

from learners.hooks.contract import Stage
from learners.job import Phase, TrainJob
from learners.methods import OptimizerSettings
from learners.plan import Plan
from learners.training.adapters import on_gpu
from learners.training.checkpoints import PlaceKeeper, train_on
from learners.training.readings import MIN_DEV_ROWS, BestOfDev, OnReading, ProgressWriter, ReadingTeller
from learners.training.rows import Encoded

SCRATCH = "trainer"


@dataclass(frozen=True, slots=True)
class Bench:
    """One phase: its rows are planned and encoded, the model is as the phase before left it.

    `plan` counts the rows that were kept; `done` steps of `total` were planned for the phases before. `on_reading`
    is told of each reading of the dev fold, and may end the training by raising.
    """

    directory: Path
    job: TrainJob
    phase: Phase
    model: Any
    tokenizer: Any
    rows: Encoded
    dev: Encoded
    plan: Plan
    done: int
    total: int
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    on_reading: OnReading | None = None

    @property
    def steps(self) -> int:
        return len(self.plan.steps)

    @property
    def has_dev(self) -> bool:
        """Whether the dev fold says enough to stop early."""
        return len(self.dev.rows) >= MIN_DEV_ROWS


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a finished trainer leaves beside the model's weights."""

    steps: int
    losses: tuple[float, ...]
    best: BestOfDev | None


def run_trainer(bench: Bench, trainer: Any, patience: int) -> Fitted:
    """Trains to the end or until the dev fold says stop, and leaves the best weights in the model.

    Goes on from the directory's checkpoint, if there is one. Raises Interrupted when it was asked to end.
    """
    progress = ProgressWriter(bench.directory, bench.phase.method, bench.done, bench.total, bench.stages)
    best = BestOfDev(bench.model, bench.steps, patience) if bench.has_dev else None
    place = PlaceKeeper(bench.directory, best, bench.job.checkpoint_every_s or inf)
    telling = [ReadingTeller(bench.on_reading)] if bench.on_reading else []
    for callback in (progress, place, *([best] if best else []), *telling):
        trainer.add_callback(callback)
    trainer.remove_callback(PrinterCallback)
    train_on(trainer, bench.directory, place, best)
    if best:
        best.put_best()
    shutil.rmtree(bench.directory / SCRATCH, ignore_errors=True)
    losses = tuple(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    return Fitted(trainer.state.global_step, losses, best)


def trainer_arguments(directory: Path, job: TrainJob, settings: OptimizerSettings, steps: int) -> dict[str, Any]:
    """For every trainer's config: nothing is saved unasked, shown or sent, or cut, shuffled and checkpointed by TRL."""
    return {
        "output_dir": str(directory / SCRATCH),
        "seed": job.seed,
        "max_steps": steps,
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": ceil(settings.warmup * steps),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "use_cpu": not on_gpu(),
        "bf16": False,
        "gradient_checkpointing": False,
        "max_length": None,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_gpu(),
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }
