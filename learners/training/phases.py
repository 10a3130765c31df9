"""A train job from its directory to its adapter: one method after the other on the same adapter.

In order: choose, render and plan the rows (`planning`), write the plan of every phase, train each on exactly its plan,
measure how far the candidate went, write the adapter. The same job directory on the same machine gives the same bytes.
A row belongs to one phase: the job says which lines are whose.
"""

from __future__ import annotations

import importlib
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from learners.base import template_hash
from learners.job import PhaseResult, Retention, StageDone, TrainJob, TrainResult
from learners.job_files import write_plan
from learners.methods import find_method
from learners.off_policy import SOLVED, STALE
from learners.training.adapters import as_served, load_model, load_tokenizer, put_weights, weights_of, write_adapter
from learners.training.bench import Bench, Fitted
from learners.training.checkpoints import begin_phase, end_phases, recall_phases
from learners.training.drift import kl_from_start, probe, retention
from learners.training.errors import ForgotTooMuch, NoChange, NothingToTrain, Outgrown
from learners.training.planning import plan_steps, prepare
from learners.training.readings import MIN_DEV_ROWS
from learners.training.rows import Encoded

NO_CHANGE_KL = 1e-3
_STRENGTH = ("learning_rate", "steps")
LIBRARIES = ("torch", "transformers", "peft", "trl")


def train(directory: Path, job: TrainJob) -> TrainResult:
    """Trains what the directory says and fills it. Raises NothingToTrain, NoChange,
    ForgotTooMuch, StartMissing, JobFileBroken."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one job trains on one device
    began = time.monotonic()
    tokenizer, model = load_tokenizer(job.base.path), load_model(job)
    prepared = prepare(directory, job, tokenizer, model)
    benches = prepared.benches
    rows = [row for bench in benches for row in bench.rows.rows]
    if not rows:
        dropped = sum((Counter(bench.rows.dropped) for bench in benches), Counter[str]())
        if prepared.batch is None and dropped and dropped.keys() <= {SOLVED, STALE}:
            raise Outgrown(f"Nothing is left to train on: {_in_words(dropped)}.")
        words = f"No row is left to train on: {_in_words(dropped)}; see model.max_context."
        raise NothingToTrain(words, prepared.fates().unfit)
    write_plan(directory, plan_steps(benches))
    loaded, start = time.monotonic(), weights_of(model)
    results = _train_all(directory, model, benches)
    trained = time.monotonic()
    kl = results[0].kl if len(results) == 1 else kl_from_start(model, rows, start)
    try:
        refuse_no_change(kl, sum(one.steps for one in results), benches)
        kept = retention(model, tokenizer, job.champion_path)
        refuse_forgetting(kept, job.max_retention_kl, benches)
    except (NoChange, ForgotTooMuch):
        end_phases(directory)
        raise
    files, size_bytes = write_adapter(model, directory)
    probes = probe(as_served(model, job, directory), tokenizer)
    fates = prepared.fates(results)
    end_phases(directory)
    return TrainResult(
        outcome="trained",
        reason="; then ".join(f"{one.method}: {one.steps} steps on {one.rows} rows" for one in results),
        candidate=job.candidate,
        phases=results,
        learners=dict(prepared.reports),
        batch=prepared.batch,
        left_out=fates.left_out,
        unseen=fates.unseen,
        unfit=dict(fates.unfit),
        rows=len(rows),
        steps=sum(one.steps for one in results),
        kl=kl,
        retention=kept,
        files=files,
        size_bytes=size_bytes,
        probes=probes,
        template_hash=template_hash(Path(job.base.path)),
        versions={name: version(name) for name in LIBRARIES},
        seconds={"load": round(loaded - began, 3), "train": round(trained - loaded, 3)},
    )


def _train_all(directory: Path, model: Any, benches: Sequence[Bench]) -> tuple[PhaseResult, ...]:
    """Each phase in its turn; those that an attempt before this one had finished are only remembered."""
    finished, weights = recall_phases(directory)
    results = list(finished)
    put_weights(model, weights)
    for bench in benches[len(finished) :]:
        begin_phase(directory, results, weights_of(model), anew=len(results) > len(finished))
        results.append(_train_phase(bench))
    return tuple(results)


def _train_phase(bench: Bench) -> PhaseResult:
    method = bench.phase.method
    if not bench.rows.rows:
        return PhaseResult(method=method, dropped=dict(bench.rows.dropped), notes=bench.notes)
    start = weights_of(bench.model)
    fitted: Fitted = importlib.import_module(f"learners.training.{method}").fit(bench)
    kl = kl_from_start(bench.model, bench.rows.rows, start)
    notes = bench.notes if kl >= NO_CHANGE_KL else (*bench.notes, f"no change: KL {kl:.1e}; {_raise_rate(bench)}")
    return PhaseResult(
        method=method,
        rows=len(bench.rows.rows),
        dropped=dict(bench.rows.dropped),
        steps=fitted.steps,
        steps_planned=bench.steps,
        trained=sum(len(step) for step in bench.plan.steps[: fitted.steps]),
        best_step=fitted.best.best_step if fitted.best else None,
        dev_rows=len(bench.dev.rows),
        early_stopping=fitted.best.words() if fitted.best else _why_off(bench.dev),
        first_loss=fitted.losses[0],
        last_loss=fitted.losses[-1],
        dev_loss=fitted.best.best_loss if fitted.best else None,
        kl=kl,
        stages=tuple(StageDone(name=stage.name, steps=stage.steps, rows=stage.rows) for stage in bench.stages),
        notes=notes,
    )


def refuse_no_change(kl: float | None, steps: int, benches: Sequence[Bench]) -> None:
    """Also where the KL is not a number. A single phase that moved nothing beside one that did is a note. Raises
    NoChange."""
    if kl is not None and kl >= NO_CHANGE_KL:
        return
    how = ", ".join(_raise_rate(bench) for bench in benches if bench.rows.rows)
    moved = "unknown" if kl is None else f"{kl:.1e}"
    raise NoChange(f"no change: KL to the start policy {moved} is below {NO_CHANGE_KL:.0e} after {steps} steps; {how}")


def refuse_forgetting(kept: Retention, most: float | None, benches: Sequence[Bench]) -> None:
    """Also where the KL is not a number. Raises ForgotTooMuch."""
    if most is None or kept.kl_base <= most:
        return
    keys = [f"updates.{bench.phase.method}.{key}" for bench in benches if bench.rows.rows for key in _STRENGTH]
    raise ForgotTooMuch(
        f"forgot too much: KL to the base on {kept.prompts} general prompts is {kept.kl_base:.2f} nats a token "
        f"({kept.kl_champion:.2f} to the champion), updates.max_retention_kl is {most:g}; lower {', '.join(keys)}, or "
        "raise the bound where other answers to general prompts do no harm"
    )


def _raise_rate(bench: Bench) -> str:
    method = bench.phase.method
    settings: Any = find_method(method).Settings.model_validate(bench.phase.settings)
    return f"raise updates.{method}.learning_rate (now {settings.learning_rate:g}) or updates.{method}.steps"


def _in_words(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "there were none"


def _why_off(dev: Encoded) -> str:
    others = f" ({_in_words(dev.dropped)})" if dev.dropped else ""
    return f"off: {len(dev.rows)} dev rows{others}, {MIN_DEV_ROWS} are needed"
