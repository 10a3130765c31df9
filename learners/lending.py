"""Which rows SFT gives up so that KTO has both signs to learn from. Pure.

SFT takes what people liked, so that what is left for KTO is nearly all disliked; but KTO on one sign alone only pushes
likelihoods down, and what is generated goes with them. So, where there is a KTO phase, SFT gives up every liked answer:
the model said those itself, and imitating them taught less than setting them against the disliked ones (docs/
preference.md has the figures). Both sides are then brought to the same weight. Its targets, which teach what the model
did not say, SFT gives only as far as the fewest liked texts that KTO is used with. No row trains twice.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from learners.router import Methods, Taker, route
from storage.records import Row

LENDER, BORROWER = "sft", "kto"
MIN_EACH_SIGN = 8
TARGETS_GIVEN = 0.5  # at most this share of them


@dataclass(frozen=True, slots=True)
class _Giving:
    """A method that gives some rows up."""

    method: Taker
    given: Collection[Hashable] = field(repr=False)

    @property
    def name(self) -> str:
        return self.method.name

    def takes(self, row: Row, settings: Any) -> bool:
        return self.method.takes(row, settings) and key_of(row) not in self.given


def key_of(row: Row) -> Hashable:
    """What tells a row from all others of an update."""
    return row.origin, row.role, row.completion, row.rejected


def lend(rows: Sequence[Row], methods: Methods, counted: Sequence[Row] | None = None) -> frozenset[Hashable]:
    """Keys of the rows that KTO is lent, the first of those given; none where it is not among the methods.

    How many targets are wanted, and which, goes by `counted`, where that is given: of a pool, the batch that would be
    taken by default.
    """
    if counted is not None:
        of_answers = {key_of(row) for row in rows if row.role == "response"}
        return (lend(rows, methods) & of_answers) | lend(counted, methods)
    borrower = next(((method, settings) for method, settings in methods if method.name == BORROWER), None)
    if borrower is None:
        return frozenset()
    method, settings = borrower
    taken = route(rows, methods).by_method
    own = taken.get(BORROWER, ())
    liked, disliked = count_signs(own)
    others = [row for name, mine in taken.items() if name != BORROWER for row in mine]
    lendable = [row for row in others if row.reward > 0 and method.takes(row, settings)]
    answers = [row for row in lendable if row.role == "response"]
    targets = [row for row in lendable if row.role == "target"]
    wanted = min(disliked, MIN_EACH_SIGN) - liked - len(answers)
    given = targets[: max(0, min(wanted, int(TARGETS_GIVEN * len(targets))))]
    return frozenset(key_of(row) for row in (*answers, *given))


def giving(methods: Methods, given: Collection[Hashable]) -> Methods:
    """The methods, all but KTO without those rows."""
    if not given:
        return methods
    return [(method if method.name == BORROWER else _Giving(method, given), settings) for method, settings in methods]


def count_signs(rows: Sequence[Row]) -> tuple[int, int]:
    """How many were liked, and how many were not."""
    liked = sum(row.reward > 0 for row in rows)
    return liked, len(rows) - liked
