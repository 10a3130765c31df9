"""Method `sft`: TRL's supervised fine-tuning of a LoRA adapter, as one train job asks for it.

In order: render rows and drop what does not fit, write the plan, train exactly that plan, put back the weights that
did best on the dev fold, measure how far the candidate went, write the adapter. The same job directory on the same
machine gives the same bytes. What the daemon knows of this method is in `learners.methods.sft`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

from transformers.trainer_callback import PrinterCallback
from trl.trainer.sft_config import SFTConfig

from learners.base import template_hash
from learners.curriculum import ScheduleContext, schedule
from learners.job import DEV_ROWS, ROWS, TrainJob, TrainResult
from learners.job_files import read_rows, write_plan
from learners.methods.sft import SftSettings, steps_for
from learners.plan import Plan, random_plan
from learners.training.adapters import (
    load_model,
    load_tokenizer,
    on_gpu,
    weights_of,
    write_adapter,
)
from learners.training.checkpoints import EndWhenAsked, train_on
from learners.training.drift import kl_from_start, probe
from learners.training.errors import NoChange, NothingToTrain
from learners.training.readings import MIN_DEV_ROWS, BestOfDev, ProgressWriter
from learners.training.rows import Encoded, EncodedRow, as_dataset, encode
from learners.training.weighted import WeightedCollator, WeightedTrainer
from storage.records import Row

NO_CHANGE_KL = 1e-3
LIBRARIES = ("torch", "transformers", "peft", "trl")
SCRATCH = "trainer"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a finished trainer leaves beside the model's weights."""

    steps: int
    losses: tuple[float, ...]
    best: BestOfDev | None


def train(directory: Path, job: TrainJob) -> TrainResult:
    """Trains what the directory says and fills it. Raises NothingToTrain, NoChange, StartMissing, JobFileBroken."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one job trains on one device
    settings = SftSettings.model_validate(job.settings)
    began = time.monotonic()
    tokenizer, model = load_tokenizer(job.base.path), load_model(job)
    rows, dev = _encoded(tokenizer, directory / ROWS, job), _encoded(tokenizer, directory / DEV_ROWS, job)
    if not rows.rows:
        raise NothingToTrain(f"No row is left to train on: {_in_words(rows.dropped)}; see model.max_context.")
    plan, notes = _plan(job, read_rows(directory / ROWS), rows.rows, settings)
    write_plan(directory, plan_lines(plan, rows.rows))
    loaded = time.monotonic()
    start = weights_of(model)
    fitted = fit(directory, job, settings, model, tokenizer, plan, rows.rows, dev.rows)
    trained = time.monotonic()
    kl = kl_from_start(model, rows.rows, start)
    if not kl >= NO_CHANGE_KL:
        raise NoChange(
            f"no change: KL to the start policy {kl:.1e} is below {NO_CHANGE_KL:.0e} after {fitted.steps} steps; "
            f"raise updates.sft.learning_rate (now {settings.learning_rate:g}) or updates.sft.steps"
        )
    probes = probe(model, tokenizer)
    files, size_bytes = write_adapter(model, directory)
    return TrainResult(
        outcome="trained",
        reason=f"{fitted.steps} steps on {len(rows.rows)} rows",
        candidate=job.candidate,
        method=job.method,
        rows=len(rows.rows),
        dropped=dict(rows.dropped),
        steps=fitted.steps,
        steps_planned=len(plan.steps),
        best_step=fitted.best.best_step if fitted.best else None,
        dev_rows=len(dev.rows),
        early_stopping=fitted.best.words() if fitted.best else _why_off(len(dev.rows)),
        first_loss=fitted.losses[0],
        last_loss=fitted.losses[-1],
        dev_loss=fitted.best.best_loss if fitted.best else None,
        kl=kl,
        files=files,
        size_bytes=size_bytes,
        probes=probes,
        template_hash=template_hash(Path(job.base.path)),
        notes=notes,
        versions={name: version(name) for name in LIBRARIES},
        seconds={"load": round(loaded - began, 3), "train": round(trained - loaded, 3)},
    )


def fit(
    directory: Path,
    job: TrainJob,
    settings: SftSettings,
    model: Any,
    tokenizer: Any,
    plan: Plan,
    rows: Sequence[EncodedRow],
    dev: Sequence[EncodedRow],
) -> Fitted:
    """Trains the model's adapter on exactly that plan, in its order; leaves the best weights in it."""
    steps = len(plan.steps)
    progress = ProgressWriter(directory, steps)
    best = BestOfDev(model, steps, settings.patience) if len(dev) >= MIN_DEV_ROWS else None
    trainer = WeightedTrainer(
        plan=plan,
        model=model,
        args=_arguments(directory, job, settings, steps),
        data_collator=WeightedCollator(pad_token_id=tokenizer.pad_token_id),
        train_dataset=as_dataset(rows),
        eval_dataset=as_dataset(dev) if best else None,
        processing_class=tokenizer,
        callbacks=[progress, EndWhenAsked(), *([best] if best else [])],
    )
    trainer.remove_callback(PrinterCallback)
    train_on(trainer, directory, best)
    if best:
        best.put_best()
    shutil.rmtree(directory / SCRATCH, ignore_errors=True)
    losses = tuple(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    return Fitted(trainer.state.global_step, losses, best)


def plan_lines(plan: Plan, rows: Sequence[EncodedRow]) -> list[tuple[int, ...]]:
    """The plan in lines of rows.jsonl, as plan.jsonl tells it (the plan itself counts the rows that were kept)."""
    return [tuple(rows[at].line for at in step) for step in plan.steps]


def _plan(
    job: TrainJob, rows: Sequence[Row], kept: Sequence[EncodedRow], settings: SftSettings
) -> tuple[Plan, tuple[str, ...]]:
    """Which kept rows each step sees: in random order, or as the curriculum has it, with its reasons."""
    steps = steps_for(len(kept), settings)
    if not job.learners.curriculum:
        return random_plan(len(kept), batch_size=settings.batch_size, steps=steps, seed=job.seed), ()
    scheduled = schedule(
        [rows[row.line] for row in kept], steps, ScheduleContext(batch_size=settings.batch_size, seed=job.seed)
    )
    return scheduled.plan, scheduled.reasons


def _arguments(directory: Path, job: TrainJob, settings: SftSettings, steps: int) -> SFTConfig:
    """Nothing is saved unasked, shown or sent; what TRL would by itself cut, shuffle or checkpoint is off."""
    return SFTConfig(
        output_dir=str(directory / SCRATCH),
        seed=job.seed,
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=ceil(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        use_cpu=not on_gpu(),
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=on_gpu(),
        save_strategy="no",
        eval_strategy="no",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
    )


def _encoded(tokenizer: Any, path: Path, job: TrainJob) -> Encoded:
    return encode(tokenizer, read_rows(path), job.model.max_context)


def _in_words(dropped: Any) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "there were none"


def _why_off(dev_rows: int) -> str:
    return f"off: {dev_rows} dev rows, {MIN_DEV_ROWS} are needed"
