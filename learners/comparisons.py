"""What the preferences of one interaction say together: of any two texts one comparison, however many made it. Pure.

Two users who prefer A to B and B to A would have one pair push up what the other pushes down, both with full weight. So
voices on the same two texts are netted, as votes on one answer are (`consumers.joins`): each user has one, the last;
feedback of which nobody knows whose it is has a voice each time. The majority's direction is learned, and counts by how
far it outnumbers the other; an even split teaches nothing. Who says a thing twice, or with others, is no second pair.

Limits: it looks at two texts at a time, so that A > B, B > C and C > A stay three comparisons. Texts are the same where
they differ by white space around them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consumers.rewards import agreement_of_voices
from storage.records import Pair

_Texts = frozenset[str]
_Voice = tuple[str | None, int]  # a user; or nobody's, by its number


@dataclass(frozen=True, slots=True)
class Comparison:
    """`chosen` over `rejected`, by `users`: the majority, the latest voice last, None for nobody known.

    `agreement` in [0.1, 1], or 0 for an even split, of which `chosen` is only what was said last. `chosen_in` are the
    interactions in which `chosen` was given, as far as they were named.
    """

    chosen: str
    rejected: str
    agreement: float
    effective_at: datetime
    users: tuple[str | None, ...]
    chosen_in: frozenset[str] = frozenset()

    @property
    def split(self) -> bool:
        return self.agreement == 0


def net(pairs: Iterable[Pair]) -> tuple[Comparison, ...]:
    """The comparisons in the order in which their texts came first; none of texts that everybody held equally good.

    `pairs` are those of one interaction in the order in which they were said.
    """
    said: dict[_Texts, dict[_Voice, Pair]] = {}
    for number, pair in enumerate(pairs, start=1):
        voices = said.setdefault(frozenset((pair.chosen.strip(), pair.rejected.strip())), {})
        voice = (pair.user_id, 0 if pair.user_id is not None else number)
        voices.pop(voice, None)
        voices[voice] = pair
    return tuple(found for voices in said.values() if (found := _netted(voices)))


def _netted(voices: Mapping[_Voice, Pair]) -> Comparison | None:
    """Ties are voices for neither text."""
    decided = [pair for pair in voices.values() if not pair.tie]
    if not decided:
        return None
    last = decided[-1]
    sides = {side: [pair for pair in decided if _agrees(pair, last) is side] for side in (True, False)}
    won = sides[len(sides[True]) >= len(sides[False])]
    return Comparison(
        chosen=won[-1].chosen,
        rejected=won[-1].rejected,
        agreement=agreement_of_voices(len(sides[True]), len(sides[False]), len(voices) - len(decided)),
        effective_at=max(pair.effective_at for pair in won),
        users=tuple(pair.user_id for pair in won),
        chosen_in=frozenset(pair.chosen_in for pair in won if pair.chosen_in is not None),
    )


def _agrees(one: Pair, other: Pair) -> bool:
    return one.chosen.strip() == other.chosen.strip()
