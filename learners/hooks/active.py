"""Learner `active` (hook `select`): the batch as a mixture, rather than drawn by weight. Off by default.

Four ways to choose share the order that is handed over, and take turns so that every stretch of it has its shares:

random     drawn blindly, at least 30 %: what the other ways would never look at keeps coming in.
uncertain  texts to imitate by what the champion learns of them in a trial on the whole pool: how many nats a token it
           takes off, times the example's weight. A pair counts by how near to each other the champion holds both texts:
           one it tells apart already would teach nothing. A disliked answer, which no trial may learn from, by how
           unlikely the champion holds it.
diverse    prompts that stand best for those not stood for yet (`learners.diversity`) by their embeddings; prompts of
           weightier examples count more among those to be stood for.
quality    the highest reward, then the heaviest: decay and agreement are in the weight.

Unlikely alone is not uncertain: much of what a champion holds unlikely is wrong or cannot be learned. What a short
trial makes likelier is not yet known, can be learned, and agrees with what most others teach; feedback with the
champion's own faults becomes less likely in it, since the others teach against them. That is the idea of Mindermann et
al., "Prioritized training on points that are learnable, worth learning, and not yet learnt" (ICML 2022), with the trial
in place of a second model. A correction is no pair, though it replaced a text: how near it is to what the champion says
already is no reason to prefer it. The champion is asked also where training starts from the base, since what it learned
from is replayed.

Limits: the shares are of its order. Of that it brings what the openers and learners of smaller wishes have left, as far
as the caps allow, so of what it brings they hold nearly; the report counts them. Where most of the pool is wrong in the
same way, the trial learns that; what is right but like nothing else in the pool counts for little, and comes in by the
other ways. Diversity looks at prompts, not at what is to be learned about them. Without the sentence model, prompts are
compared by their words, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, inf, isfinite
from random import Random

from learners.diversity import cover, coverage
from learners.errors import EmbeddingsMissing
from learners.hooks import Learner
from learners.hooks.contract import Brought, Context, PoolExample, Selection, Told, Tools
from learners.ngrams import Vectors, ngram_vectors
from storage.records import Row
from storage.records.settings import Settings, setting

_WHAT = {
    "random": "drawn at random",
    "uncertain": "that the champion learned most of in a trial, or that the champion cannot tell apart",
    "diverse": "whose prompts stand for others",
    "quality": "of the highest reward and weight",
}


class ActiveSettings(Settings):
    """Settings of `updates.active`. The last three divide among them what `random` leaves."""

    random: float = setting(
        0.3, doc="Share of what this learner chooses that is drawn at random.", unit="share", ge=0.3, le=1
    )
    uncertain: float = setting(
        0.4, doc="Part chosen where the champion learns most in a trial, or is unsure.", unit="part of the rest", ge=0
    )
    diverse: float = setting(
        0.2, doc="Part chosen because its prompts stand for others.", unit="part of the rest", ge=0
    )
    quality: float = setting(0.1, doc="Part chosen for its reward and weight.", unit="part of the rest", ge=0)
    probe_steps: int = setting(
        10,
        doc="Optimizer steps of the trial that shows what would be learned; never more than one pass over the pool.",
        unit="steps",
        ge=1,
    )

    @property
    def shares(self) -> Mapping[str, float]:
        """Of what this learner chooses; they add up to 1. With all three parts 0, everything is drawn at random."""
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
        orders["uncertain"] = _by_uncertainty(pool, context, notes, numbers)
    vectors = _prompt_vectors(pool, context.tools, notes) if "diverse" in shares else None
    if vectors is not None:
        weights = [example.weight for example in pool]
        orders["diverse"] = [pick.place for pick in cover(vectors, min(budget, len(pool)), weights=weights)]
    if "quality" in shares:
        orders["quality"] = sorted(range(len(pool)), key=lambda place: (_quality(pool[place]), place))
    places, chose = take_turns(orders, shares)
    way = dict(zip(places, chose, strict=True))

    def tell(brought: Brought) -> Told:
        counts = {name: sum(way[place] == name for place in brought.places) for name in shares}
        words = tuple(f"{count} {_WHAT[name]}" for name, count in counts.items() if count)
        if vectors is None:
            return Told(words, counts)
        covered, by_chance = (
            coverage(vectors, some) for some in (brought.batch, orders["random"][: len(brought.batch)])
        )
        covering = (
            f"the batch covers prompts to {covered:.2f}, a random one of its size to {by_chance:.2f} "
            "(mean similarity to the nearest chosen)"
        )
        return Told((*words, covering), {**counts, "coverage": covered, "coverage_random": by_chance})

    return Selection(tuple(places), budget, (f"the pool of {len(pool)} put into an order", *notes), numbers, tell)


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
    pool: Sequence[PoolExample], context: Context, notes: list[str], numbers: dict[str, float]
) -> list[int]:
    """Three kinds of rows, each ranked among its own: what they are ranked by has no common scale."""
    rows = [(place, row) for place, example in enumerate(pool) for row in example.rows]
    imitated = [(place, row) for place, row in rows if row.role != "pair" and row.reward > 0]
    disliked = [(place, row) for place, row in rows if row.role != "pair" and row.reward <= 0]
    taught = _taught(imitated, pool, context)
    ranks = [
        *_ranks(taught),
        *_ranks(_closeness([(place, row) for place, row in rows if row.role == "pair"], context.tools)),
        *_ranks(_losses(disliked, context.tools)),
    ]
    highest: dict[int, float] = {}
    for place, rank in ranks:
        highest[place] = max(rank, highest.get(place, -inf))
    against = sum(nats <= 0 for _, nats in taught)
    if taught:
        notes.append(
            f"a trial made {against} of {len(taught)} texts no likelier: what the others teach is against them"
        )
    numbers["against"] = float(against)
    return sorted(highest, key=lambda place: (-highest[place], place))


def _taught(
    imitated: Sequence[tuple[int, Row]], pool: Sequence[PoolExample], context: Context
) -> list[tuple[int, float]]:
    """By how many nats a token a trial of the champion on all of these makes each likelier, times what its example
    counts.

    The trial sees no row twice, so that it is the others a text is learned from rather than itself.
    """
    rows = [row for _, row in imitated]
    if not rows:
        return []
    settings: ActiveSettings = context.settings
    steps = min(settings.probe_steps, ceil(len(rows) / context.batch_size))
    before, after = context.tools.loss(rows), context.tools.probe_loss(rows, steps, champion=True)
    return [
        (place, (old - new) * pool[place].weight if isfinite(old) and isfinite(new) else -inf)
        for (place, _), old, new in zip(imitated, before, after, strict=True)
    ]


def _closeness(compared: Sequence[tuple[int, Row]], tools: Tools) -> list[tuple[int, float]]:
    """Minus the difference, in nats a token, of how likely the champion holds both texts of a pair."""
    turned = [(at, replace(row, role="response", completion=row.rejected or "", rejected=None)) for at, row in compared]
    chosen, rejected = _losses(compared, tools), _losses(turned, tools)
    return [
        (place, -abs(one - other) if isfinite(one) and isfinite(other) else -inf)
        for (place, one), (_, other) in zip(chosen, rejected, strict=True)
    ]


def _losses(rows: Sequence[tuple[int, Row]], tools: Tools) -> list[tuple[int, float]]:
    found = tools.loss([row for _, row in rows]) if rows else ()
    return [(place, loss) for (place, _), loss in zip(rows, found, strict=True)]


def _ranks(values: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each value as the share of those that are lower, in [0, 1)."""
    ordered = sorted(value for _, value in values)
    first: dict[float, int] = {}
    for at, value in enumerate(ordered):
        first.setdefault(value, at)
    return [(place, first[value] / len(ordered)) for place, value in values]


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
    figures={
        **{name: f"Of what it brought, the examples {what}." for name, what in _WHAT.items()},
        "against": "Texts to imitate that the trial made no likelier.",
        "coverage": "How well the batch covers the pool's prompts: their mean similarity to the nearest in it, 0 to 1.",
        "coverage_random": "The same of a random batch of its size; both only with `diverse` above 0.",
    },
)
