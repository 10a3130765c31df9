"""Learner `hard_negatives` (hooks `select` and `expand`): a share of the batch for what the champion gets wrong. Off by
default.

`select` fills a quota of the batch with failures, spread over their kinds (`learners.failures`): always one of the kind
that has fewest so far, the rarest in the pool first, and of each kind the heaviest. A cluster of prompts that only one
example is in is no kind yet: oddities and wrong feedback look like that. A failure counts only where it
teaches something right: it has a target or a pair, or its bad answer stands there as bad (a negative reward). A bad
answer that was liked is never chosen for its failure, and while the learner is on, no method raises one that is known
to fail a check, whoever chose it (`Row.fails_check`).

`expand` looks for a target where a failure has none: the champion is asked a few times, and an answer that passes the
task's validator takes the place of the bad one, unless KTO would have too few disliked answers then. Without a
validator, or where none passes, the bad answer stays what it was, a row with a negative reward, and a method that
learns from those (KTO) may have it.

Limits: what the champion never gets right by chance finds no target; feedback that is wrong looks like a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from learners.failures import PROMPTS
from learners.hooks import Learner
from learners.hooks.contract import Brought, Context, Expanded, Made, PoolExample, Selection, Told
from storage.records import Row
from storage.records.settings import Settings, setting

FEWEST_ALIKE = 2
MOST_ASKED = 64  # prompts that the champion is asked again


class HardNegativesSettings(Settings):
    """Settings of `updates.hard_negatives`."""

    quota: float = setting(
        0.35, doc="Share of the batch that goes to failures, spread over their kinds.", unit="share", gt=0, le=1
    )
    samples: int = setting(
        4,
        doc="Answers that the champion is asked for where a failure has no target; one that passes the task's "
        "validator becomes it. 0: never.",
        unit="answers",
        ge=0,
        le=32,
    )
    temperature: float = setting(0.8, doc="How far these answers stray.", unit="temperature", gt=0, le=2)
    weight: float = setting(
        0.5, doc="What a target that the champion found counts, of what its failure counts.", unit="share", gt=0, lt=1
    )


def select(pool: Sequence[PoolExample], budget: int, context: Context) -> Selection:
    """The quota, the most wanted first."""
    settings: HardNegativesSettings = context.settings
    failing = [place for place, example in enumerate(pool) if example.failures and teaches(example.rows)]
    quota = min(round(settings.quota * budget), len(failing))
    kinds = _kinds(failing, pool)
    places, counts = spread(kinds, pool)

    def tell(brought: Brought) -> Told:
        taken = Counter(kind for place in brought.places for kind in kinds[place])
        words = ", ".join(f"{taken[kind]} of {kind} ({counts[kind]} in the pool)" for kind in sorted(counts))
        return Told((words,) if words else ())

    reasons = (f"a quota of {quota} of {budget} for {len(failing)} failures",)
    numbers = {"quota": float(quota), "failures": float(len(failing)), "kinds": float(len(counts))}
    return Selection(places, quota, reasons, numbers, tell)


def teaches(rows: Sequence[Row]) -> bool:
    """Whether a failing answer comes with something better, or as something bad."""
    return any(row.role != "response" or row.reward < 0 for row in rows)


def _kinds(failing: Sequence[int], pool: Sequence[PoolExample]) -> dict[int, tuple[str, ...]]:
    has = Counter(kind for place in failing for kind in pool[place].failures)
    odd = {kind for kind, count in has.items() if kind.startswith(PROMPTS) and count < FEWEST_ALIKE}
    return {place: tuple(kind for kind in pool[place].failures if kind not in odd) for place in failing}


def spread(failures: dict[int, tuple[str, ...]], pool: Sequence[PoolExample]) -> tuple[tuple[int, ...], dict[str, int]]:
    """All those places, so ordered that any number of first ones is spread evenly over the kinds; and how many each
    kind has."""
    has = Counter(kind for kinds in failures.values() for kind in kinds)
    left = sorted(failures, key=lambda place: (-pool[place].weight, place))
    taken: Counter[str] = Counter()
    order: list[int] = []
    while kinds := {kind for place in left for kind in failures[place]}:
        wanted = min(kinds, key=lambda kind: (taken[kind], has[kind], kind))
        place = next(place for place in left if wanted in failures[place])
        left.remove(place)
        taken.update(failures[place])
        order.append(place)
    return (*order, *left), dict(has)


def expand(rows: Sequence[Row], context: Context) -> Expanded:
    """A target for each disliked answer that has none, where the champion finds one."""
    settings: HardNegativesSettings = context.settings
    alone = _without_target(rows)[:MOST_ASKED]
    if not settings.samples or not alone:
        return Expanded((), 1, ("no failure without a target",))
    if context.tools.validate(rows[alone[0]].messages, "") is None:
        return Expanded((), 1, (f"{len(alone)} failures have no target, and there is no validator to find one by",))
    said = context.tools.answers([rows[place].messages for place in alone], settings.samples, settings.temperature)
    made = [
        Made(place, "sample", _as_target(rows[place], sample.text, settings.weight), instead=True)
        for place, samples in zip(alone, said, strict=True)
        for sample in samples
        if sample.imitable(rows[place].messages)
    ]
    asked = len(alone) * settings.samples
    words = f"{len(alone)} failures have no target: {settings.samples} answers asked for each"
    return Expanded(tuple(made), 1, (words,), {"answers_asked": float(asked)})


def _without_target(rows: Sequence[Row]) -> list[int]:
    better = {row.origin for row in rows if row.role != "response"}
    alone = [at for at, row in enumerate(rows) if row.role == "response" and row.reward < 0]
    return [at for at in alone if rows[at].origin not in better]


def _as_target(row: Row, text: str, share: float) -> Row:
    return replace(row, completion=text, role="target", signal=1.0, reward=1.0, weight=share * row.weight)


LEARNER = Learner(
    name="hard_negatives",
    doc="Keep a share of the batch for what the champion keeps getting wrong, spread over kinds of failure.",
    Settings=HardNegativesSettings,
    select=select,
    expand=expand,
    figures={
        "quota": "Examples that it wanted in the batch.",
        "failures": "Examples of the pool that fail and teach something.",
        "kinds": "Kinds of failure among those.",
        "answers_asked": "Answers that the champion was asked for, to find targets.",
    },
)
