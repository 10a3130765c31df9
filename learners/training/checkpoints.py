"""A trainer writes down where it is, and another goes on from there, to the same bytes as if nothing had happened.

From time to time (`updates.checkpoint_every`), and when the daemon that stops asks it to end (SIGTERM), the trainer
saves at the end of a step what it needs: adapter, optimizer, schedule, random numbers, the best weights on the dev fold
so far, the results of the phases before this one, and the weights that this one began with. A phase that follows on
another begins with one, and the last stays until the result is there. So neither a stop nor a kill costs more than the
steps since then. The next attempt, in a directory of its own that holds the same job and rows
and a copy of the checkpoint, trains the rest of the plan.

A checkpoint takes the place of the one before by two renames; a kill between them leaves the one before under another
name, which `find_checkpoint` knows. One that a cut of power has spoilt costs one attempt: `is_copy` tells whether an
attempt came any further than what it was given, and after a crash nobody goes on from the same place twice.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from learners.job import CHECKPOINT, PhaseResult
from learners.job_files import CHECKPOINT_BEFORE, write_whole
from learners.training.adapters import Weights
from learners.training.readings import BestOfDev
from learners.training.stopping import Interrupted, is_asked

BEST, BEST_WEIGHTS = "best_of_dev.json", "best_of_dev.safetensors"
PHASES, PHASE_START = "phases.json", "phase_start.safetensors"
TRAINER_STATE = "trainer_state.json"  # of a step of the trainer
BEGUN = "phase"  # where a phase's beginning waits until a checkpoint needs it
_RESULTS = TypeAdapter(tuple[PhaseResult, ...])


class PlaceKeeper(TrainerCallback):
    """Has a checkpoint saved every `every_s` seconds; asked to end, another after that step, and then the end."""

    def __init__(
        self, directory: Path, best: BestOfDev | None, every_s: float = inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory, self._best, self._every_s, self._clock = directory, best, every_s, clock
        self._saved_s = clock()
        self.ended = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if state.global_step >= state.max_steps:
            return
        self.ended = is_asked()
        if self.ended:
            control.should_save = control.should_training_stop = True
        elif self._clock() - self._saved_s >= self._every_s:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """The trainer has written its part; by now the dev fold of this step has been read too."""
        saved = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        _remember(saved, self._best)
        for part in (self._directory / BEGUN).iterdir():
            shutil.copyfile(part, saved / part.name)
        _replace(self._directory, saved)
        self._saved_s = self._clock()


def train_on(trainer: Any, directory: Path, place: PlaceKeeper, best: BestOfDev | None) -> None:
    """The trainer's training, from the directory's checkpoint if it holds one. Raises Interrupted when it was asked to
    end, with a checkpoint written; the trainer must have that PlaceKeeper."""
    begun = directory / CHECKPOINT
    amid = (begun / TRAINER_STATE).is_file()  # a phase's beginning is the weights that the trainer has already
    if amid:
        _recall(begun, best)
    trainer.train(resume_from_checkpoint=str(begun) if amid else None)
    if place.ended:
        raise Interrupted(f"stopped after step {trainer.state.global_step} of {trainer.state.max_steps}")


def begin_phase(directory: Path, finished: Sequence[PhaseResult], begun: Weights, *, anew: bool) -> None:
    """Writes down what came before a phase, and the weights that it begins with, for its checkpoints.

    `anew`: this attempt has trained the phase before it, so that this is a checkpoint itself.
    """
    folder = directory / BEGUN
    folder.mkdir(exist_ok=True)
    write_whole(folder / PHASES, _RESULTS.dump_json(tuple(finished)))
    save_file({name: weight.contiguous() for name, weight in begun.items()}, folder / PHASE_START)
    if anew:
        saved = directory / f"{BEGUN}.saved"
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(folder, saved)
        _replace(directory, saved)


def end_phases(directory: Path) -> None:
    """There is nothing to go on with any more."""
    for name in (CHECKPOINT, CHECKPOINT_BEFORE, BEGUN):
        shutil.rmtree(directory / name, ignore_errors=True)


def recall_phases(directory: Path) -> tuple[tuple[PhaseResult, ...], Weights]:
    """The phases that need not be trained again, and the weights to go on with; nothing without a checkpoint."""
    folder = directory / CHECKPOINT
    if not (folder / PHASES).is_file():
        return (), {}
    return _RESULTS.validate_json((folder / PHASES).read_bytes()), load_file(folder / PHASE_START)


def _replace(directory: Path, saved: Path) -> None:
    now, before = directory / CHECKPOINT, directory / CHECKPOINT_BEFORE
    shutil.rmtree(before, ignore_errors=True)
    if now.is_dir():
        now.rename(before)
    saved.rename(now)
    shutil.rmtree(before, ignore_errors=True)


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
