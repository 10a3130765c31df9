"""Learner `preference`: whether an update has a preference phase, by which method, and which rows each phase trains on.

Pure. An update is one SFT phase, then at most one preference phase. `auto` takes DPO where there are enough pairs, else
KTO where there are enough liked and disliked answers, else neither: a handful says more of who gave them than of what
people prefer. Where it is known which liked answers fail a check (`auto_checked`), it takes no KTO, since SFT on those
that pass taught more (docs/preference.md). The same counts decide when a batch is counted and when it is trained: what
the batch would train on. What was learned earlier is replayed beside it, as targets are, and is no reason to take fewer
new rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal, get_args

from consumers.rewards import normalise
from learners.lending import MIN_EACH_SIGN, count_signs, giving, key_of, lend
from learners.methods import find_method
from learners.router import Methods, route
from storage.records import Row, RowRole

Preference = Literal["auto", "off", "dpo", "kto"]
Wanted = Literal["auto", "auto_checked", "off", "dpo", "kto"]
PREFERENCE_METHODS = ("dpo", "kto")  # in the order in which `auto` wants them
MIN_PAIRS = 16


@dataclass(frozen=True, slots=True)
class JudgedCounts:
    """What a preference phase could be made of: pairs that are no ties, and answers by the sign of their reward."""

    pairs: int = 0
    liked: int = 0
    disliked: int = 0

    def with_more(self, other: JudgedCounts) -> JudgedCounts:
        """The larger of each: two counts of one batch, each by the methods that were looked at."""
        return JudgedCounts(
            max(self.pairs, other.pairs), max(self.liked, other.liked), max(self.disliked, other.disliked)
        )


@dataclass(frozen=True, slots=True)
class PreferenceChoice:
    """Which method the preference phase has, None for no such phase; and why, in words and numbers."""

    method: str | None
    reason: str

    @property
    def on(self) -> bool:
        return self.method is not None


@dataclass(frozen=True, slots=True)
class PhaseRows:
    """What one phase may train on: the batch's rows, what was learned before (for replay), the dev fold's.

    `lent`: how many of the batch's another phase gave up.
    """

    method: str
    batch: tuple[Row, ...]
    learned: tuple[Row, ...]
    dev: tuple[Row, ...]
    lent: int = 0


@dataclass(frozen=True, slots=True)
class Sorted:
    """The phases in their order, those without a row too; what became of the batch's other rows, by role; and why."""

    phases: tuple[PhaseRows, ...]
    no_method: Mapping[str, int]
    gave_way: Mapping[str, int]
    preference: PreferenceChoice


def wanted_of(preference: Preference, *, checked: bool) -> Wanted:
    """What is wanted of a task by its setting; `checked`: whether it is known which of its liked answers fail."""
    return "auto_checked" if preference == "auto" and checked else preference


def possible(wanted: Wanted) -> tuple[str, ...]:
    """The methods that a preference phase may have, in the order in which they are wanted."""
    found = {"auto": PREFERENCE_METHODS, "auto_checked": ("dpo",), "off": ()}
    return found.get(wanted, (wanted,))


def choose_preference(wanted: Wanted, counts: JudgedCounts) -> PreferenceChoice:
    """The phase that so many pairs and judged answers get."""
    if wanted == "off":
        return PreferenceChoice(None, "learners.preference is off")
    if wanted != "kto" and counts.pairs >= fewest_of("dpo", wanted):
        name = "auto" if wanted == "auto_checked" else wanted
        return PreferenceChoice("dpo", f"dpo on {counts.pairs} pairs (learners.preference: {name})")
    if wanted == "dpo":
        return PreferenceChoice(None, "no pairs")
    pairs = f"{counts.pairs} of {MIN_PAIRS} pairs"
    if wanted == "auto_checked":
        return PreferenceChoice(
            None, f"{pairs}; learners.preference: auto takes no kto where hard_negatives checks what was liked"
        )
    fewest = fewest_of("kto", wanted)
    if min(counts.liked, counts.disliked) >= fewest:
        because = f"{wanted}; {pairs}" if wanted == "auto" else wanted
        signs = f"{counts.liked} liked and {counts.disliked} disliked answers"
        return PreferenceChoice("kto", f"kto on {signs} (learners.preference: {because})")
    signs = f"{counts.liked} of {fewest} liked and {counts.disliked} of {fewest} disliked answers"
    if wanted == "kto":
        return PreferenceChoice(None, f"{signs} that learners.preference: kto needs")
    return PreferenceChoice(None, f"{pairs}, {signs}; learners.preference: auto wants either")


def fewest_of(method: str, wanted: Wanted) -> int:
    """Without how many rows (KTO: of either sign) `choose_preference` gives no such phase."""
    if method not in PREFERENCE_METHODS:
        return 0
    return {"dpo": MIN_PAIRS, "kto": MIN_EACH_SIGN}[method] if wanted.startswith("auto") else 1


def count_judged(rows: Sequence[Row], methods: Methods) -> JudgedCounts:
    """What each preference method among these would train on, if it were the one."""
    pairs = _taken(rows, only(methods, "dpo"), "dpo")
    alone = only(methods, "kto")
    return JudgedCounts(len(pairs), *count_signs(_taken(rows, giving(alone, lend(rows, alone)), "kto")))


def only(methods: Methods, preference: str | None) -> Methods:
    """The methods, of those that learn from preferences at most this one."""
    left_out = {name for name in PREFERENCE_METHODS if name != preference}
    return [(method, settings) for method, settings in methods if method.name not in left_out]


def sort_rows(
    batch: Sequence[Row],
    learned: Sequence[Row],
    dev: Sequence[Row],
    methods: Methods,
    wanted: Wanted,
    counted: Sequence[Row] | None = None,
) -> Sorted:
    """Each row to the phase that trains on it. Weights of a phase's new and learned rows stay comparable.

    Where the batch has no preference phase, what was learned before may still have one, by its own counts. Where
    `batch` is a pool of which a part will be trained on, `counted` is a part of that size, and decides on phases.
    """
    choice = choose_preference(wanted, count_judged(batch if counted is None else counted, methods))
    again = choice if choice.on else choose_preference(wanted, count_judged(learned, methods))
    mine, all_on = only(methods, choice.method), only(methods, again.method)
    lent = lend(batch, mine, counted)
    told = route(batch, giving(mine, lent))
    together = route([*batch, *learned], giving(all_on, lent | lend(learned, all_on))).by_method
    judged = route(dev, giving(all_on, lend(dev, all_on))).by_method
    new = {row.origin.interaction_id for row in batch}
    phases = []
    for method, _ in methods:
        rows = together.get(method.name, ())
        fresh = tuple(row for row in rows if row.origin.interaction_id in new)
        if method.name in PREFERENCE_METHODS and method.name != choice.method:
            fresh = ()
        known = tuple(row for row in rows if row.origin.interaction_id not in new)
        given = len(lent) if method.name == "kto" else 0
        phases.append(PhaseRows(method.name, fresh, known, _readable(method.name, judged.get(method.name, ())), given))
    return Sorted(tuple(phases), told.no_method, told.gave_way, choice)


def _taken(rows: Sequence[Row], methods: Methods, name: str) -> Sequence[Row]:
    return route(rows, methods).by_method.get(name, ())


def _readable(method: str, dev: tuple[Row, ...]) -> tuple[Row, ...]:
    """None where the method cannot learn from such: of one sign alone the dev fold would call best what moves furthest
    that way, and of one prompt alone kto can read nothing."""
    return () if find_method(method).lacks(dev) else dev


def with_replay(phases: Sequence[PhaseRows], replayed: Collection[Row], wanted: Wanted) -> tuple[PhaseRows, ...]:
    """The phases with what was drawn for replay as their `learned`, without those that have nothing to train on.

    Rows count as they were drawn, but where a few stand for very many no more than as many new ones do, or the new
    would hardly count. Under `auto`, what is replayed makes a preference phase by itself if there is enough of it.
    """
    drawn = {key_of(row): row.weight for row in replayed}
    found = []
    for phase in phases:
        mine = [(row, drawn[key_of(row)]) for row in phase.learned if key_of(row) in drawn]
        share = _share_beside([weight for _, weight in mine], phase.batch)
        again = tuple(replace(row, weight=share * weight, replay=True) for row, weight in mine)
        rows = (*phase.batch, *again)
        if rows and _is_enough(phase.method, rows, wanted):
            found.append(replace(phase, learned=again))
    return tuple(found)


def _share_beside(weights: Sequence[float], batch: Sequence[Row]) -> float:
    """What to multiply the replayed rows' weights with, at most 1, so that their mean is at most that of new rows."""
    new = fmean(row.weight for row in batch) if batch else 0.0
    return min(1.0, new / fmean(weights)) if weights and new > 0 else 1.0


def _is_enough(method: str, rows: Sequence[Row], wanted: Wanted) -> bool:
    if method not in PREFERENCE_METHODS:
        return True
    counts = JudgedCounts(pairs=len(rows)) if method == "dpo" else JudgedCounts(0, *count_signs(rows))
    return choose_preference(wanted, counts).method == method


def rows_to_train(phase: PhaseRows) -> tuple[Row, ...]:
    """New and replayed rows, their weights brought to mean 1 and capped."""
    return _weighed([*phase.batch, *phase.learned])


def rows_to_judge_by(phase: PhaseRows) -> tuple[Row, ...]:
    """The dev fold's, likewise."""
    return _weighed(phase.dev)


def count_rows(phases: Sequence[PhaseRows]) -> dict[str, dict[str, int]]:
    """How many rows went where, by method, for the update's report; kto's also by sign."""
    return {phase.method: _count_one(phase) for phase in phases}


def _count_one(phase: PhaseRows) -> dict[str, int]:
    counts = {"new": len(phase.batch), "replayed": len(phase.learned), "dev": len(phase.dev)}
    if phase.method != "kto":
        return counts
    liked, disliked = count_signs((*phase.batch, *phase.learned))
    return {**counts, "liked": liked, "disliked": disliked, "given up by sft": phase.lent}


def roles_in_words(counts: Mapping[str, int], preference: PreferenceChoice) -> str:
    """What is not counted, by why: "7 pair (no method: learners.preference is off), 2 aged out"; empty for nothing."""
    roles = [f"{count} {why}" for why, count in counts.items() if why in get_args(RowRole)]
    others = [f"{count} {why}" for why, count in counts.items() if why not in get_args(RowRole)]
    nobody = [f"{', '.join(roles)} (no method: {preference.reason})"] if roles else []
    return ", ".join([*nobody, *others])


def _weighed(rows: Sequence[Row]) -> tuple[Row, ...]:
    weights = normalise([row.weight for row in rows])
    return tuple(replace(row, weight=weight) for row, weight in zip(rows, weights, strict=True))
