"""Primaries that compare two generated answers: a pairwise judge, or the win-rate head. Pure.

A row is worth to the candidate how surely its answer is preferred (1, 0, or 0.5 for a tie), and to the champion the
rest of 1: the mean over the rows is the win rate, and equal adapters, which say the same, come to half each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .evidence import Answer, GateRow

PreferredBy = Literal["judge", "win_rate"]
PREFERRED: tuple[PreferredBy, ...] = ("judge", "win_rate")  # auto takes the first that has compared anything


def preferred_by(rows: Sequence[GateRow]) -> PreferredBy | None:
    """Who has compared answers here; None where nobody has."""
    return next((who for who in PREFERRED if any(who in row.preferred for row in rows)), None)


def preference_worth(row: GateRow, answer: Answer, who: str) -> float | None:
    """In [0, 1]; None where the answers of this row were not compared."""
    share = row.preferred.get(who)
    if share is None:
        return None
    return share if answer is row.candidate else 1 - share
