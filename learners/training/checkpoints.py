"""A trainer that is asked to end writes down where it is, and another goes on from there.

The daemon asks by SIGTERM when it stops. At the end of the step at hand the trainer saves what it needs (adapter,
optimizer, schedule, random numbers, and the best weights on the dev fold so far) and leaves; the next attempt, in a
directory of its own that holds the same job and rows, trains the rest of the plan: phases that were finished are
remembered by their results, and the weights that the present one began with are kept too. The outcome is the same to
the bit as without the stop. Only an orderly stop writes a checkpoint: after a crash training starts anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from learners.job import CHECKPOINT, PhaseResult
from learners.training.adapters import Weights
from learners.training.readings import BestOfDev
from learners.training.stopping import Interrupted, is_asked

BEST, BEST_WEIGHTS = "best_of_dev.json", "best_of_dev.safetensors"
PHASES, PHASE_START = "phases.json", "phase_start.safetensors"
_RESULTS = TypeAdapter(tuple[PhaseResult, ...])


class EndWhenAsked(TrainerCallback):
    """Saves and stops after the step in which the end was asked for."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if is_asked() and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True


def train_on(trainer: Any, directory: Path, best: BestOfDev | None) -> None:
    """The trainer's training, from the directory's checkpoint if it holds one. Raises Interrupted when it was asked to
    end, with a checkpoint written; the trainer must have the callback EndWhenAsked."""
    begun = directory / CHECKPOINT
    if begun.is_dir():
        _recall(begun, best)
    trainer.train(resume_from_checkpoint=str(begun) if begun.is_dir() else None)
    step = trainer.state.global_step
    saved = Path(trainer.args.output_dir) / f"checkpoint-{step}"
    if is_asked() and saved.is_dir():
        _remember(saved, best)
        shutil.rmtree(begun, ignore_errors=True)
        saved.rename(begun)
        raise Interrupted(f"stopped after step {step} of {trainer.state.max_steps}")


def remember_phases(directory: Path, finished: Sequence[PhaseResult], begun: Weights) -> None:
    """Beside the trainer's own checkpoint: what came before the phase that was left off, and what it began with."""
    folder = directory / CHECKPOINT
    (folder / PHASES).write_bytes(_RESULTS.dump_json(tuple(finished)))
    save_file({name: weight.contiguous() for name, weight in begun.items()}, folder / PHASE_START)


def recall_phases(directory: Path) -> tuple[tuple[PhaseResult, ...], Weights]:
    """The phases that need not be trained again, and the weights to go on with; nothing without a checkpoint."""
    folder = directory / CHECKPOINT
    if not (folder / PHASES).is_file():
        return (), {}
    return _RESULTS.validate_json((folder / PHASES).read_bytes()), load_file(folder / PHASE_START)


def _remember(folder: Path, best: BestOfDev | None) -> None:
    if best is None or best.best_step is None:
        return
    save_file(best.weights, folder / BEST_WEIGHTS)
    found = {"loss": best.best_loss, "step": best.best_step, "worse": best.worse}
    (folder / BEST).write_text(json.dumps(found), encoding="utf-8")


def _recall(folder: Path, best: BestOfDev | None) -> None:
    if best is None or not (folder / BEST).is_file():
        return
    found = json.loads((folder / BEST).read_text(encoding="utf-8"))
    best.best_loss, best.best_step, best.worse = found["loss"], found["step"], found["worse"]
    best.weights = load_file(folder / BEST_WEIGHTS)
