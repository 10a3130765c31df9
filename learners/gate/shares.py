"""How much each user's rows count in a verdict: no user may hold more than a share of the evidence.

Why here and not only in the batch: a flood of one user's prompts or targets in the gate would let that user decide
who is champion, or push everybody else's out of the few that a judgement reads. Pure arithmetic.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence


def cap_shares(weights: Sequence[float], users: Sequence[str | None], max_share: float) -> list[float]:
    """Weights scaled down, user by user, so that no user holds more than `max_share` of their sum.

    Rows without a user cannot be told apart and count as one user together. With fewer users than 1 / max_share the
    cap cannot be met; then every user holds the same share. Both sequences and the answer have one entry per row.
    """
    held: dict[str | None, float] = {}
    for weight, user in zip(weights, users, strict=True):
        held[user] = held.get(user, 0.0) + weight
    factors = _factors({user: total for user, total in held.items() if total > 0}, max_share)
    return [weight * factors.get(user, 1.0) for weight, user in zip(weights, users, strict=True)]


def newest_fairly(users: Sequence[str | None], places: int, max_share: float, prompts: Sequence[str] = ()) -> list[int]:
    """Which of some rows, given newest first by their users, take the places: indexes, in the order given.

    The newest of each user up to that share of the places; where this leaves places empty, the newest of the rest.
    With `prompts`, each row's, the newest row of every prompt goes before any second row of one.
    """
    most, taken = math.ceil(max_share * places), Counter[str | None]()
    within: list[int] = []
    beyond: list[int] = []
    for at in _each_prompt_first(prompts) if prompts else range(len(users)):
        taken[users[at]] += 1
        (within if taken[users[at]] <= most else beyond).append(at)
    chosen = within[:places]
    return sorted([*chosen, *beyond[: places - len(chosen)]])


def _each_prompt_first(prompts: Sequence[str]) -> list[int]:
    """Places of the first row of each prompt, then of the second ones, and so on; each in the order given."""
    seen = Counter[str]()
    turns = []
    for at, prompt in enumerate(prompts):
        turns.append((seen[prompt], at))
        seen[prompt] += 1
    return [at for _, at in sorted(turns)]


def _factors(held: Mapping[str | None, float], max_share: float) -> dict[str | None, float]:
    limit = _limit(sorted(held.values(), reverse=True), max_share)
    return {user: min(1.0, limit / total) for user, total in held.items()}


def _limit(totals: Sequence[float], max_share: float) -> float:
    """The most one user may hold, so that it is `max_share` of what all hold after the cut; `totals` largest first.

    With the `cut` largest at the limit L and the others whole, L = max_share (cut L + others).
    """
    if len(totals) * max_share <= 1:
        return min(totals, default=math.inf)
    for cut in range(len(totals)):
        limit = max_share * sum(totals[cut:]) / (1 - max_share * cut) if max_share * cut < 1 else math.inf
        if totals[cut] <= limit:
            return limit
    return totals[-1]
