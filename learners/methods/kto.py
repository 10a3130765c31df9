"""Method `kto`: learns from single judgements, liked or not, without a second text to compare with.

Kahneman-Tversky optimisation (Ethayarajh et al. 2024, equation 7): a desirable answer loses
1 - sigmoid(beta * (r - z)), an undesirable one 1 - sigmoid(beta * (z - r)), where r is how much likelier the adapter
holds the answer than the reference does, and z the same over prompts paired with the answers of others, an estimate of
how far the policy has moved as a whole. The label is the sign of the reward; a reward within the dead zone has none.
The work is done in `learners.training.kto`.

Both sides count alike: weights are scaled so that the desirable ones sum to `balance` times the undesirable ones. The
paper (equation 8) advises 1 to 4/3, and found that up to nine in ten desirable answers can be missing when weights make
up for it. Without any of one side the loss only pushes one way, so both are needed.

Limits: as for `dpo`, `learning_rate` has been tried on models of under a million parameters alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers.cleaning import prompt_key
from learners.methods import Method, OptimizerSettings
from learners.plan import MAX_STEPS, MIN_STEPS, PASSES, Steps
from storage.records import Row
from storage.records.settings import setting


class KtoSettings(OptimizerSettings):
    """Settings of `updates.kto`."""

    beta: float = setting(
        0.1,
        doc="How strongly the adapter is held to the policy it started from; more, up to 1, where users err.",
        unit="rate",
        gt=0,
    )
    dead_zone: float = setting(
        0.1, doc="An answer whose reward is no further from 0 than this is neither liked nor disliked.", unit="reward",
        ge=0, lt=1,
    )  # fmt: skip
    balance: float = setting(
        1.0, doc="What all desirable answers together count for each 1 of all undesirable ones.", unit="ratio", gt=0
    )
    sft_weight: float = setting(
        0.0, doc="Weight of the desirable answers' own likelihood in the loss, as for dpo.", unit="ratio", ge=0
    )
    learning_rate: float = setting(
        5e-6, doc="Peak of the learning rate; small models want more (2e-3).", unit="rate", gt=0
    )
    batch_size: int = setting(8, doc="Answers of one optimizer step, no two to the same prompt.", unit="rows", ge=2)
    steps: Steps = setting(
        "auto",
        doc=f"Optimizer steps; auto is {PASSES} passes over the answers, at least {MIN_STEPS}, at most {MAX_STEPS}. "
        "`6 passes` is as many steps as that takes, however many answers there are.",
        unit="steps",
    )


def takes(row: Row, settings: KtoSettings) -> bool:
    """Whether a row is one text that was liked or disliked; a human's own text is liked. What is known to fail a check
    is never desirable, whoever liked it."""
    if row.reward > 0 and row.fails_check:
        return False
    return row.role != "pair" and abs(row.reward) > settings.dead_zone


def lacks(rows: Sequence[Row]) -> str:
    """Both signs, and a second prompt: z is estimated from answers that belong to other prompts."""
    if len({row.reward > 0 for row in rows}) < 2:
        return "of one sign alone: kto needs liked and disliked answers"
    if len({prompt_key(row.messages) for row in rows}) < 2:
        return "to one prompt alone: kto needs answers to two"
    return ""


def balanced(weights: Sequence[float], desirable: Sequence[bool], ratio: float) -> tuple[float, ...]:
    """The weights with mean 1, those of the desirable rows summing to `ratio` times those of the others.

    Unchanged in proportion within a side; a side without weight stays so.
    """
    whole = float(len(weights))
    sides = {
        side: sum(w for w, is_side in zip(weights, desirable, strict=True) if is_side is side) for side in (True, False)
    }
    wanted = {True: whole * ratio / (1 + ratio), False: whole / (1 + ratio)}
    factor = {side: wanted[side] / total if total else 0.0 for side, total in sides.items()}
    return tuple(weight * factor[side] for weight, side in zip(weights, desirable, strict=True))


METHOD = Method(name="kto", Settings=KtoSettings, takes=takes, lacks=lacks, prompt_once=True)
