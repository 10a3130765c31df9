"""Every way of learning that is compared: baselines, learners one by one, all together, and each left out.

A setting is what an operator would write into `adaptd.yaml`, read by the product's own configuration, plus the two
things that only a baseline does: train in order of arrival, and train on everything ever said. Ways to pick a batch
that the product had or might have had are settings too. One that needs a learner which this version does not have is
listed in the report as not run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bench.learning.tasks import Task
from daemon.config import Config, LearnerSwitches

# What was chosen on the dev seeds, among all of TRIED; the report lists every one with its result.
TRIED: tuple[float, ...] = (1e-3, 2.5e-3, 5e-3)
LEARNING_RATE = 5e-3
DPO_RATE = 5e-4
KTO: dict[str, float] = {"learning_rate": 2.5e-3, "beta": 1.0, "sft_weight": 1.0}

LEARNERS = ("curriculum", "active", "hard_negatives", "augmentation", "preference", "hyperparameters")
_ON: dict[str, Any] = {"preference": "kto"}  # how a learner that has more states than on and off is switched on


Pick = Literal["drawn", "first", "newest", "heaviest", "even"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of learning. `learners` are on; `pick`: which of the pool make the batch, those `drawn` by their
    weight, as the product does without a selector, the `first` that came, the `newest`, the `heaviest`, or all with an
    `even` chance; `everything`: the whole pool is trained on instead of a batch; `updates` are further keys of
    `updates:`; `asks`: nobody has said anything until people are asked, about answers that the `product` chooses, or
    drawn by `lot`."""

    name: str
    says: str
    learners: tuple[str, ...] = ()
    arrival: bool = False
    everything: bool = False
    pick: Pick = "drawn"
    updates: dict[str, Any] = field(default_factory=dict)
    asks: Literal["product", "lot"] | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Learners that this version cannot switch on."""
        return tuple(name for name in self.learners if not _known(name))


def _known(learner: str) -> bool:
    """Whether `adaptd.yaml` of this version takes it."""
    try:
        LearnerSwitches.model_validate({learner: _ON.get(learner, True)})
    except ValueError:
        return False
    return True


ARRIVAL = Setting(
    "arrival",
    "SFT on the first that came, in that order, without a floor",
    arrival=True,
    pick="first",
    updates={"sft": {"min_signal": 0.0}},
)
SFT = Setting("sft", "SFT with floor on a batch drawn by weight, in random order: no learner on")
EVERYTHING = Setting("everything", "from the base on all that was said, at twelve passes", everything=True)
TOGETHER = LEARNERS[:-1]  # the tuner works in idle time, between updates
FULL = Setting("full", "all learners but the tuner", learners=TOGETHER)
ASK = Setting("ask", "SFT on what people say of the answers that `adaptd ask` chose", pick="first", asks="product")
ASK_RANDOM = Setting("ask-random", "SFT on what people say of answers drawn by lot", pick="first", asks="lot")
TUNER = "hyperparameters"


def _shares(name: str, random: float, **rest: float) -> Setting:
    """`active` with these shares of the batch, and none of what is not named."""
    parts = {"random": random, "uncertain": 0.0, "diverse": 0.0, "quality": 0.0} | rest
    says = ", ".join(f"{way} {100 * share:.0f} %" for way, share in parts.items() if share)
    return Setting(f"active-{name}", says, learners=("active",), updates={"active": parts})


# Shares of `active`: each way with no more chance than it must have, and two mixtures of all four.
TRIED_SHARES = (
    _shares("random", random=1.0),
    _shares("uncertain", random=0.3, uncertain=0.7),
    _shares("diverse", random=0.3, diverse=0.7),
    _shares("quality", random=0.3, quality=0.7),
    _shares("even", random=0.4, uncertain=0.2, diverse=0.3, quality=0.1),
    _shares("eager", random=0.3, uncertain=0.4, diverse=0.2, quality=0.1),
)


def _kto(rate: float, beta: float, sft_weight: float = 0.0) -> Setting:
    """KTO at these settings of `updates.kto`."""
    says = f"KTO at {rate:g}, beta {beta:g}, SFT weight {sft_weight:g}"
    own = {"learning_rate": rate, "beta": beta, "sft_weight": sft_weight}
    return Setting(f"kto-{rate:g}-{beta:g}-{sft_weight:g}", says, learners=("preference",), updates={"kto": own})


# On thumbs alone, where KTO learns; and whether it is better than SFT on the liked answers that pass all checks.
TRIED_KTO = (
    _kto(2e-4, 0.1),
    _kto(5e-4, 0.1),
    _kto(2e-3, 0.1),
    _kto(2.5e-3, 0.1, 1.0),
    _kto(2.5e-3, 0.3, 1.0),
    _kto(2.5e-3, 0.5),
    _kto(2.5e-3, 0.5, 1.0),
    _kto(2.5e-3, 0.5, 3.0),
    _kto(2.5e-3, 1.0, 1.0),
    _kto(5e-3, 1.0, 1.0),
)
KTO_CHECKED = Setting("kto-checked", "KTO as chosen, with hard_negatives", learners=("preference", "hard_negatives"))

TRIED_PICKS = (
    Setting("pick-heaviest", "the heaviest of the pool", pick="heaviest"),
    Setting("pick-newest", "the newest of the pool", pick="newest"),
    Setting("pick-even", "drawn from the pool, all with the same chance", pick="even"),
)
# Ways of `curriculum`, beside `only-curriculum` (a probe's losses, easy first) and `sft` (random order).
CURRICULA = (
    Setting(
        "curriculum-length", "by length", learners=("curriculum",), updates={"curriculum": {"difficulty": "length"}}
    ),
    Setting(
        "curriculum-loss",
        "by the champion's loss",
        learners=("curriculum",),
        updates={"curriculum": {"difficulty": "loss"}},
    ),
    Setting(
        "curriculum-hard-first",
        "by a probe's losses, hard first",
        learners=("curriculum",),
        updates={"curriculum": {"order": "hard_first"}},
    ),
)


def settings() -> tuple[Setting, ...]:
    """All that are compared, in the order of the report; not those that something was chosen among."""
    alone = [Setting(f"only-{name}", f"SFT with {name} alone", learners=(name,)) for name in LEARNERS]
    without = [
        Setting(f"without-{name}", f"as full, without {name}", learners=tuple(n for n in TOGETHER if n != name))
        for name in TOGETHER
    ]
    return (ARRIVAL, SFT, EVERYTHING, FULL, *alone, *without, ASK, ASK_RANDOM)


def find_setting(name: str) -> Setting:
    """Raises ValueError for a name that is none."""
    found = {
        setting.name: setting
        for setting in (*settings(), *TRIED_SHARES, *TRIED_KTO, KTO_CHECKED, *TRIED_PICKS, *CURRICULA)
    }
    if name not in found:
        raise ValueError(f"there is no setting {name!r}; there are {', '.join(found)}")
    return found[name]


def in_force(
    task: Task,
    setting: Setting,
    *,
    rows: int,
    steps: int | str,
    rate: float | None = None,
    guarded: bool = True,
) -> Config:
    """The product's configuration for a batch of `rows` and that many steps, at the rates that were chosen where none
    is given; `guarded` false takes the caps away."""
    sft = {"learning_rate": rate or LEARNING_RATE, "steps": steps, **setting.updates.get("sft", {})}
    dpo = {"learning_rate": DPO_RATE, "steps": steps}
    kto = {**KTO, "steps": steps, **setting.updates.get("kto", {})}
    name, validator = task.validator
    caps = {} if guarded else {"max_share_per_user": 1.0, "min_users": 1}
    return Config.model_validate(
        {
            "rewards": {"settle": 0},
            "batching": {"min": rows, "max": rows, **caps},
            "learners": {"preference": "off", **{name: _ON.get(name, True) for name in setting.learners}},
            "updates": {**setting.updates, "sft": sft, "dpo": dpo, "kto": kto},
            "tasks": {task.name: {"validator": {"name": name, "settings": validator}}},
        }
    )
