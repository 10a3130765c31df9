"""Golden and retention: sets on which a candidate must prove that it is no worse than the champion. Pure.

Two demands pull against each other: an equal candidate should nearly always pass, and a loss of the margin should
nearly always be caught. With n items whose differences have the standard error SE, both hold at once only if
(z_loss + z_pass) SE <= margin. So the margin that is in force is the wider of the set's own and that:

    in force = max(margin, (z_loss + z_pass) SE)        passed when  difference - z_loss SE > -in force

An equal candidate passes in about 99 % of cases at every n; a loss as large as the margin in force is caught in 95 %. A
set that is too small for its margin is not made to prove what it cannot: the margin in force, which is reported, says
how large a loss it would catch. Whoever fails is also proven worse than equal, at 1 %, so to fail is to be rejected.
This is the usual test of non-inferiority by the lower bound of a one-sided interval (Schuirmann 1987), with z from
Student's t at n_eff - 1 degrees of freedom.

Limits: losses within the margin can add up over updates, since each candidate is compared with its champion; the
scores `golden` and `retention` of every adapter show that. Means of a few heavy-tailed items are told roughly
(bench.gate prints how roughly). Fewer than ten items both answered say nothing, and block nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from .statistics import Paired, t_quantile

MIN_ITEMS = 10
MISSED_LOSS = 0.05  # how often a loss of the margin in force goes unseen
FAILED_EQUAL = 0.01  # how often an equal candidate fails


@dataclass(frozen=True, slots=True)
class Kept:
    """What one set says. Scores and `margin` (in force) are in [0, 1], `difference` in [-1, 1]."""

    name: str
    items: int
    champion: float
    candidate: float
    difference: float
    margin: float
    passed: bool

    @property
    def words(self) -> str:
        """In points of 100."""
        scores = f"{100 * self.champion:.1f} -> {100 * self.candidate:.1f} of 100 on {self.items} items"
        if self.passed:
            return f"{self.name}: {scores}"
        return f"{self.name}: {scores}; a loss of {100 * self.margin:.1f} points cannot be excluded"


def read_kept(name: str, pairs: Paired, champion: float, candidate: float, margin: float) -> Kept | None:
    """None where there are too few items to say anything."""
    if pairs.count < MIN_ITEMS:
        return None
    in_force = margin_in_force(pairs, margin)
    return Kept(
        name=name,
        items=pairs.count,
        champion=champion,
        candidate=candidate,
        difference=pairs.mean,
        margin=in_force,
        passed=proves_no_loss(pairs, margin),
    )


def margin_in_force(pairs: Paired, margin: float) -> float:
    """The loss that these rows would catch in 95 % of cases, at least `margin`, both in the unit of the values."""
    degrees = pairs.effective - 1
    return max(margin, (t_quantile(MISSED_LOSS, degrees) + t_quantile(FAILED_EQUAL, degrees)) * pairs.standard_error)


def proves_no_loss(pairs: Paired, margin: float) -> bool:
    """Whether the candidate passes. Rows that all say the same pass unless they say a loss of the margin."""
    bound = pairs.mean - t_quantile(MISSED_LOSS, pairs.effective - 1) * pairs.standard_error
    return bound > -margin_in_force(pairs, margin)
