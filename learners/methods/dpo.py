"""Method `dpo`: direct preference optimisation on pairs of answers, held to the chosen ones by a share of SFT.

It learns from pairs alone. The loss is -log sigmoid(beta * margin) (Rafailov et al. 2023, equation 7), where the margin
is how much more the adapter than the reference prefers the chosen answer, plus `sft_weight` times the negative
log-likelihood of the chosen answer: the first term by itself lowers both likelihoods, and what a weak base then
generates falls apart while the pairs are told apart perfectly. The work is done in `learners.training.dpo`.

Limits: `learning_rate` has been tried on models of under a million parameters alone. The default is what is usual for
larger ones; a candidate that it does not move fails as `no change` and says which setting to raise.
"""

from __future__ import annotations

from learners.methods import Method, OptimizerSettings
from learners.plan import MAX_STEPS, MIN_STEPS, PASSES, Steps
from storage.records import Row
from storage.records.settings import setting


class DpoSettings(OptimizerSettings):
    """Settings of `updates.dpo`."""

    beta: float = setting(0.1, doc="How strongly the adapter is held to the policy it started from.", unit="rate", gt=0)
    sft_weight: float = setting(
        1.0,
        doc="Weight of the chosen answers' own likelihood in the loss; near 0, what it says may collapse.",
        unit="ratio",
        ge=0,
    )
    learning_rate: float = setting(
        1e-5, doc="Peak of the learning rate; small models want more (2e-3).", unit="rate", gt=0
    )
    batch_size: int = setting(8, doc="Pairs of one optimizer step.", unit="pairs", ge=1)
    steps: Steps = setting(
        "auto",
        doc=f"Optimizer steps; auto is {PASSES} passes over the pairs, at least {MIN_STEPS}, at most {MAX_STEPS}. "
        "`6 passes` is as many steps as that takes, however many pairs there are.",
        unit="steps",
    )


def takes(row: Row, _settings: DpoSettings) -> bool:
    """Whether a row compares two texts."""
    return row.role == "pair"


METHOD = Method(name="dpo", Settings=DpoSettings, takes=takes)
