"""A trainer that is asked to end writes down where it is, and another goes on from there.

The daemon asks by SIGTERM when it stops. At the end of the step at hand the trainer saves what it needs (adapter,
optimizer, schedule, random numbers, and the best weights on the dev fold so far) and leaves; the next attempt, in a
directory of its own that holds the same job and rows, trains the rest of the plan. The outcome is the same to the bit
as without the stop. Only an orderly stop writes a checkpoint: after a crash training starts anew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from learners.job import CHECKPOINT
from learners.training.readings import BestOfDev
from learners.training.stopping import Interrupted, is_asked

BEST, BEST_WEIGHTS = "best_of_dev.json", "best_of_dev.safetensors"


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
