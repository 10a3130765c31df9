"""The batch out of the pool, when learners have a say in it. Pure.

Each learner with a `select` hook hands over an order of the pool and how many it wants. They take turns by name, the
one with the smallest wish first, so that a quota is filled before somebody takes the rest; what nobody chose is filled
up by lot (`learners.lots`). Whoever chooses, the caps per user hold, and the batch opens with one example of each of
`min_users` users.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from learners.hooks.contract import PoolExample, Selection
from learners.lots import chance_of, lot

OPENERS, BY_LOT = "openers", "lot"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Places in the pool, in the order in which they were taken; and which of them each chooser brought."""

    places: tuple[int, ...]
    by: Mapping[str, tuple[int, ...]]


def choose(
    pool: Sequence[PoolExample],
    selections: Mapping[str, Selection],
    *,
    budget: int,
    cap: int,
    min_users: int,
    seed: int,
) -> Chosen:
    """At most `budget` places, no user in more than `cap` of them; `seed` draws the lots."""
    taken = _Taken(pool, budget, cap)
    by_lot = _drawn(pool, seed)
    taken.add(OPENERS, _openers(pool, by_lot, min_users), min_users)
    for name, wish in sorted(selections.items(), key=lambda entry: (entry[1].most, entry[0])):
        taken.add(name, wish.places, wish.most)
    taken.add(BY_LOT, by_lot, budget)
    return Chosen(tuple(taken.places), {name: tuple(places) for name, places in taken.by.items() if places})


def _drawn(pool: Sequence[PoolExample], seed: int) -> list[int]:
    secret = str(seed).encode()
    lots = [lot(chance_of(example.origin, secret), example.weight) for example in pool]
    return sorted(range(len(pool)), key=lots.__getitem__)


class _Taken:
    def __init__(self, pool: Sequence[PoolExample], budget: int, cap: int) -> None:
        self._pool, self._budget, self._cap = pool, budget, cap
        self._held: Counter[int] = Counter()
        self.places: list[int] = []
        self.by: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, name: str, order: Iterable[int], most: int) -> None:
        """The first `most` in that order that are new and fit."""
        for place in order:
            if len(self.places) >= self._budget or len(self.by[name]) >= most:
                return
            users = set(_users(self._pool[place]))
            if place in self.places or any(self._held[user] >= self._cap for user in users):
                continue
            self._held.update(users)
            self.places.append(place)
            self.by[name].append(place)


def _openers(pool: Sequence[PoolExample], order: Sequence[int], min_users: int) -> list[int]:
    """One example of each of `min_users` users, the first of each."""
    seen: set[int] = set()
    openers = []
    for place in order:
        if len(seen) < min_users and not seen.issuperset(_users(pool[place])):
            openers.append(place)
            seen.update(_users(pool[place]))
    return openers


def _users(example: PoolExample) -> tuple[int, ...]:
    """Examples without a user count as one user's, as they do when the batch is counted."""
    return example.users or (-1,)
