"""Learner `active` (hook `select`): the batch as a mixture, rather than what came in heaviest. Off by default.

Four ways to choose share the batch, and take turns so that every stretch of it has its shares:

random     drawn blindly, at least 30 %: what the other ways would never look at keeps coming in.
uncertain  what the policy that training starts from holds least likely, per token. A pair counts by how near to each
           other it holds both texts: one it tells apart already would teach nothing. What stands apart above all
           others (the cut that curriculum uses) comes last: a text that is likely wrong is unlikely too.
diverse    prompts that stand best for those not stood for yet (`learners.diversity`) by their embeddings.
quality    the highest reward, then the heaviest: decay and agreement are in the weight.

Loss per token and no margin for targets, because there is no second text to hold it against: a corrected answer is
the policy's own and so nearly always likelier than its correction, however sure the policy is.

Limits: diversity looks at prompts, not at what is to be learned about them. Without the sentence model, prompts are
compared by their words, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite
from random import Random

from learners.diversity import cover, coverage
from learners.errors import EmbeddingsMissing
from learners.hooks import Learner
from learners.hooks.contract import Context, PoolExample, Selection, Tools
from learners.hooks.curriculum import FEWEST_TO_ESTIMATE, MOST_NOISE, TWO_GROUPS, best_cut
from learners.ngrams import Vectors, ngram_vectors
from storage.records import Row
from storage.records.settings import Settings, setting

_WHAT = {
    "random": "drawn at random",
    "uncertain": "that the champion is least sure of",
    "diverse": "whose prompts stand for others",
    "quality": "of the highest reward and weight",
}


class ActiveSettings(Settings):
    """Settings of `updates.active`. The last three divide among them what `random` leaves."""

    random: float = setting(0.4, doc="Share of the batch that is drawn at random.", unit="share", ge=0.3, le=1)
    uncertain: float = setting(0.2, doc="Part chosen where the champion is unsure.", unit="part of the rest", ge=0)
    diverse: float = setting(
        0.3, doc="Part chosen because its prompts stand for others.", unit="part of the rest", ge=0
    )
    quality: float = setting(0.1, doc="Part chosen for its reward and weight.", unit="part of the rest", ge=0)

    @property
    def shares(self) -> Mapping[str, float]:
        """Of the whole batch; they add up to 1. With all three parts 0, everything is drawn at random."""
        parts = {name: getattr(self, name) for name in _WHAT if name != "random"}
        total = sum(parts.values())
        if not total:
            return {"random": 1.0}
        return {"random": self.random} | {name: (1 - self.random) * part / total for name, part in parts.items()}


def select(pool: Sequence[PoolExample], budget: int, context: Context) -> Selection:
    """An order of the whole pool, of which the first `budget` are wanted."""
    settings: ActiveSettings = context.settings
    shares = {name: share for name, share in settings.shares.items() if share > 0}
    notes: list[str] = []
    numbers: dict[str, float] = {}
    orders = {"random": Random(context.seed).sample(range(len(pool)), len(pool))}
    if "uncertain" in shares:
        orders["uncertain"] = _by_uncertainty(pool, context.tools, notes, numbers)
    vectors = _prompt_vectors(pool, context.tools, notes) if "diverse" in shares else None
    if vectors is not None:
        orders["diverse"] = [pick.place for pick in cover(vectors, min(budget, len(pool)))]
    if "quality" in shares:
        orders["quality"] = sorted(range(len(pool)), key=lambda place: (_quality(pool[place]), place))
    places, chose = take_turns(orders, shares)
    wanted = min(budget, len(places))
    counts = {name: chose[:wanted].count(name) for name in shares}
    if vectors is not None:
        numbers["coverage"] = coverage(vectors, places[:wanted])
        numbers["coverage_random"] = coverage(vectors, orders["random"][:wanted])
        notes.append(
            f"prompts are covered to {numbers['coverage']:.2f}, by a random batch of this size to "
            f"{numbers['coverage_random']:.2f} (mean similarity to the nearest chosen)"
        )
    told = tuple(f"{count} {_WHAT[name]}" for name, count in counts.items() if count)
    return Selection(tuple(places), budget, (*told, *notes), {**counts, **numbers})


def take_turns(orders: Mapping[str, Sequence[int]], shares: Mapping[str, float]) -> tuple[list[int], list[str]]:
    """All places, and who chose each; whoever is farthest behind its share chooses next, the first among equals.

    Every stretch from the start has each share, rounded down; an order that has run out leaves its turns to the others.
    """
    left = {name: iter(order) for name, order in orders.items()}
    size = len({place for order in orders.values() for place in order})
    taken: dict[int, str] = {}
    counts = dict.fromkeys(left, 0)
    while len(taken) < size:
        behind = {name: shares[name] * (len(taken) + 1) - counts[name] for name in left}
        name = max(behind, key=lambda each: behind[each])
        place = next((place for place in left[name] if place not in taken), None)
        if place is None:
            del left[name]
        else:
            taken[place] = name
            counts[name] += 1
    return list(taken), list(taken.values())


def _by_uncertainty(
    pool: Sequence[PoolExample], tools: Tools, notes: list[str], numbers: dict[str, float]
) -> list[int]:
    """Rows of one role are ranked among each other: nats of a text and margins of pairs have no common scale."""
    rows = [(place, row) for place, example in enumerate(pool) for row in example.rows]
    losses = tools.loss([row for _, row in rows])
    known = {id(row): loss for (_, row), loss in zip(rows, losses, strict=True)}
    written = [(place, known[id(row)]) for place, row in rows if row.role != "pair"]
    compared = [(place, row) for place, row in rows if row.role == "pair"]
    doubtful = _ranks(written)
    doubtful += _ranks(_closeness(compared, known, tools))
    suspects = _suspects(written)
    highest: dict[int, float] = {}
    for place, rank in doubtful:
        highest[place] = max(rank, highest.get(place, -inf))
    if suspects:
        notes.append(f"{len(suspects)} that stand apart as least likely of all come last: they may be wrong")
    numbers["suspected"] = float(len(suspects))
    return sorted(highest, key=lambda place: (place in suspects, -highest[place], place))


def _closeness(
    compared: Sequence[tuple[int, Row]], known: Mapping[int, float], tools: Tools
) -> list[tuple[int, float]]:
    """Minus the difference, in nats a token, of how likely both texts of a pair are held."""
    turned = [replace(row, role="response", completion=row.rejected or "", rejected=None) for _, row in compared]
    rejected = tools.loss(turned) if turned else ()
    return [
        (place, -abs(known[id(row)] - other) if isfinite(known[id(row)]) and isfinite(other) else -inf)
        for (place, row), other in zip(compared, rejected, strict=True)
    ]


def _ranks(values: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each value as the share of those that are lower, in [0, 1)."""
    ordered = sorted(value for _, value in values)
    first: dict[float, int] = {}
    for at, value in enumerate(ordered):
        first.setdefault(value, at)
    return [(place, first[value] / len(ordered)) for place, value in values]


def _suspects(written: Sequence[tuple[int, float]]) -> set[int]:
    """Places whose losses are a group of their own above the rest."""
    finite = [(place, loss) for place, loss in written if isfinite(loss)]
    if len(finite) < FEWEST_TO_ESTIMATE:
        return set()
    explained, share = best_cut([loss for _, loss in finite])
    if explained < TWO_GROUPS or share > MOST_NOISE:
        return set()
    worst = sorted(finite, key=lambda entry: -entry[1])[: round(share * len(finite))]
    return {place for place, _ in worst}


def _prompt_vectors(pool: Sequence[PoolExample], tools: Tools, notes: list[str]) -> Vectors:
    prompts = [_asked(example) for example in pool]
    try:
        return tools.embed(prompts)
    except EmbeddingsMissing as missing:
        notes.append(f"prompts are compared by their words: {missing}")
        return ngram_vectors(prompts)


def _asked(example: PoolExample) -> str:
    """What the user said last."""
    messages = example.rows[0].messages
    return next((message.content for message in reversed(messages) if message.role == "user"), "")


def _quality(example: PoolExample) -> tuple[float, float]:
    return -max(row.reward for row in example.rows), -example.weight


LEARNER = Learner(
    name="active",
    doc="Choose the batch as a mixture: at random, where the champion is unsure, for diversity and for quality.",
    Settings=ActiveSettings,
    select=select,
)
