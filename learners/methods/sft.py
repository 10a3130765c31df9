"""Method `sft`: supervised fine-tuning on good answers, each counting by its weight.

It learns from targets (a human wrote them) and from responses whose *signal* passes a floor and whose reward is above
0, wherever the floor is: what was not liked is never imitated, nor what is known to fail a check. Never from pairs. The
loss is that of the last assistant turn; the work is done in `learners.training.sft`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from learners.methods import Method, OptimizerSettings
from learners.plan import MAX_STEPS, MIN_STEPS, PASSES, Steps
from storage.records import Row
from storage.records.settings import setting

DEFAULT_FLOOR = 0.75


class SftSettings(OptimizerSettings):
    """Settings of `updates.sft`."""

    min_signal: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = setting(
        DEFAULT_FLOOR,
        doc="A response is learned when its signal is at least this and its reward above 0 (`rewards.midpoint`); auto "
        "is the median of the task's recent signals, within bounds.",
        unit="signal",
    )
    learning_rate: float = setting(
        2e-4, doc="Peak of the learning rate; small models want more (5e-3).", unit="rate", gt=0
    )
    batch_size: int = setting(8, doc="Rows of one optimizer step.", unit="rows", ge=1)
    steps: Steps = setting(
        "auto",
        doc=f"Optimizer steps; auto is {PASSES} passes over the rows, at least {MIN_STEPS}, at most {MAX_STEPS}. "
        "`6 passes` is as many steps as that takes, however many rows there are.",
        unit="steps",
    )


def takes(row: Row, settings: SftSettings) -> bool:
    """Whether a row is a text worth imitating. What `auto` comes to is for whoever knows the task's history."""
    floor = DEFAULT_FLOOR if settings.min_signal == "auto" else settings.min_signal
    if row.role == "response":
        return row.signal >= floor and row.reward > 0 and row.ending is None and not row.fails_check
    return row.role == "target"


METHOD = Method(name="sft", Settings=SftSettings, takes=takes)
