"""Method `noop`: a seeded random adapter of about the stated size, for trying everything around a method.

Where the base has query projections, the adapter fits them, so that an engine can load it; its weights are so small
that answers hardly change. Otherwise it is one tensor that fits nothing. No torch is used.
"""

from __future__ import annotations

import json
import shutil
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy
from safetensors.numpy import save_file

from learners.job import ADAPTER, ROWS, PhaseResult, PlanStep, Progress, TrainJob, TrainResult
from learners.job_files import append_progress, read_rows, write_plan
from learners.methods.noop import NoopSettings
from learners.training.adapters import FILES, finish_adapter
from learners.training.stopping import Interrupted, is_asked

BYTES_PER_NUMBER = 4
PROJECTION = "q_proj"
SCALE = 1e-3
Shapes = dict[str, tuple[int, ...]]


def train(directory: Path, job: TrainJob) -> TrainResult:
    """Pretends to train, one row a step, and writes the adapter."""
    (phase,) = job.phases
    settings = NoopSettings.model_validate(phase.settings)
    rows, steps = len(read_rows(directory / ROWS)), settings.steps
    planned = [(step % rows,) if rows else () for step in range(steps)]
    write_plan(directory, [PlanStep(step=step, phase=phase.method, rows=mine) for step, mine in enumerate(planned)])
    for step in range(steps):
        time.sleep(settings.step_time)
        if is_asked():
            raise Interrupted(f"stopped after step {step + 1} of {steps}")
        append_progress(directory, Progress(at=datetime.now(UTC), done=step + 1, total=steps, phase=phase.method))
    files, size_bytes = _write(directory, job, settings)
    return TrainResult(
        outcome="trained",
        reason=f"a random adapter of {size_bytes} bytes",
        candidate=job.candidate,
        phases=(PhaseResult(method=phase.method, rows=rows, steps=steps, steps_planned=steps),),
        rows=rows,
        steps=steps,
        files=files,
        size_bytes=size_bytes,
    )


def _write(directory: Path, job: TrainJob, settings: NoopSettings) -> tuple[dict[str, str], int]:
    unfinished = directory / f"{ADAPTER}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    shapes, rank = _shapes(Path(job.base.path), settings.size)
    random = numpy.random.default_rng(job.seed)
    tensors = {name: (random.standard_normal(shape) * SCALE).astype(numpy.float32) for name, shape in shapes.items()}
    save_file(tensors, unfinished / FILES[1], metadata={"format": "pt"})
    (unfinished / FILES[0]).write_text(json.dumps(_configuration(job, rank), indent=2) + "\n", encoding="utf-8")
    return finish_adapter(unfinished)


def _shapes(base: Path, size_bytes: int) -> tuple[Shapes, int]:
    """Names and shapes of the adapter's tensors, and its rank: the one that comes nearest to the size."""
    numbers = max(1, size_bytes // BYTES_PER_NUMBER)
    projections = _projections(base)
    if not projections:
        return {"base_model.model.noop.lora_A.weight": (1, numbers)}, 1
    rank = max(1, round(numbers / sum(sum(shape) for shape in projections.values())))
    shapes: Shapes = {}
    for module, (wide, deep) in projections.items():
        shapes[f"base_model.model.{module}.lora_A.weight"] = (rank, deep)
        shapes[f"base_model.model.{module}.lora_B.weight"] = (wide, rank)
    return shapes, rank


def _projections(base: Path) -> Shapes:
    """Query projections of the base and their (outputs, inputs), read from the headers of its safetensors files."""
    found: Shapes = {}
    for file in sorted(base.glob("*.safetensors")):
        for name, tensor in _header(file).items():
            if name.endswith(f"{PROJECTION}.weight") and len(tensor["shape"]) == 2:
                found[name.removesuffix(".weight")] = tuple(tensor["shape"])
    return found


def _header(file: Path) -> dict[str, dict[str, list[int]]]:
    """Of a safetensors file: 8 bytes of length, then JSON with dtype, shape and place of each tensor."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, dict[str, list[int]]] = json.loads(stream.read(length))
        return header


def _configuration(job: TrainJob, rank: int) -> dict[str, object]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": job.base.path,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [PROJECTION],
        "inference_mode": True,
    }
