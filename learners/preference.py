"""Learner `preference`: whether an update has a preference phase, and which rows each of its phases trains on. Pure.

An update is one SFT phase, then at most one preference phase. `auto` wants enough pairs for the second: a handful says
more of who gave them than of what people prefer. The same count decides when a batch is counted and when it is trained:
the pairs that the batch would train on. What was learned from earlier pairs is replayed beside them, as targets are,
and is no reason to take fewer new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from consumers.rewards import normalise
from learners.router import Methods, route
from storage.records import Row, RowRole

Preference = Literal["auto", "off", "dpo"]
PREFERENCE_METHODS = frozenset({"dpo"})
MIN_PAIRS = 16


@dataclass(frozen=True, slots=True)
class PreferenceChoice:
    """Whether pairs are trained on, and why, in words and numbers."""

    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseRows:
    """What one phase may train on: the batch's rows, what was learned before (for replay), the dev fold's."""

    method: str
    batch: tuple[Row, ...]
    learned: tuple[Row, ...]
    dev: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Sorted:
    """The phases in their order, those without a row too; what became of the batch's other rows, by role; and why."""

    phases: tuple[PhaseRows, ...]
    no_method: Mapping[str, int]
    gave_way: Mapping[str, int]
    preference: PreferenceChoice


def choose_preference(wanted: Preference, pairs: int) -> PreferenceChoice:
    """Whether so many untied pairs get a preference phase."""
    if wanted == "off":
        return PreferenceChoice(False, "learners.preference is off")
    if wanted == "auto" and pairs < MIN_PAIRS:
        return PreferenceChoice(False, f"{pairs} of {MIN_PAIRS} pairs that learners.preference: auto wants")
    if not pairs:
        return PreferenceChoice(False, "no pairs")
    return PreferenceChoice(True, f"dpo on {pairs} pairs (learners.preference: {wanted})")


def count_pairs(rows: Sequence[Row], methods: Methods) -> int:
    """How many of the rows a preference method would train on."""
    return sum(len(taken) for name, taken in route(rows, methods).by_method.items() if name in PREFERENCE_METHODS)


def without_preference(methods: Methods) -> Methods:
    """The methods that do not learn from pairs."""
    return [(method, settings) for method, settings in methods if method.name not in PREFERENCE_METHODS]


def sort_rows(
    batch: Sequence[Row], learned: Sequence[Row], dev: Sequence[Row], methods: Methods, wanted: Preference
) -> Sorted:
    """Each row to the phase that trains on it. Weights of a phase's new and learned rows stay comparable."""
    choice = choose_preference(wanted, count_pairs(batch, methods))
    told = route(batch, methods if choice.on else without_preference(methods))
    together, judged = route([*batch, *learned], methods).by_method, route(dev, methods).by_method
    new = {row.origin.interaction_id for row in batch}
    phases = []
    for method, _ in methods:
        rows = together.get(method.name, ())
        mine = tuple(row for row in rows if row.origin.interaction_id in new)
        if method.name in PREFERENCE_METHODS and not choice.on:
            mine = ()
        again = tuple(row for row in rows if row.origin.interaction_id not in new)
        phases.append(PhaseRows(method.name, mine, again, judged.get(method.name, ())))
    return Sorted(tuple(phases), told.no_method, told.gave_way, choice)


def with_replay(phases: Sequence[PhaseRows], replayed: Collection[Row], wanted: Preference) -> tuple[PhaseRows, ...]:
    """The phases with what was drawn for replay as their `learned`, without those that have nothing to train on.

    Under `auto`, replayed pairs alone make a phase if there are enough of them.
    """
    drawn = {_text_of(row) for row in replayed}
    found = []
    for phase in phases:
        again = tuple(replace(row, replay=True) for row in phase.learned if _text_of(row) in drawn)
        enough = len(phase.batch) + len(again)
        if phase.method in PREFERENCE_METHODS and not choose_preference(wanted, enough).on:
            continue
        if enough:
            found.append(replace(phase, learned=again))
    return tuple(found)


def rows_to_train(phase: PhaseRows) -> tuple[Row, ...]:
    """New and replayed rows, their weights brought to mean 1 and capped."""
    return _weighed([*phase.batch, *phase.learned])


def rows_to_judge_by(phase: PhaseRows) -> tuple[Row, ...]:
    """The dev fold's, likewise."""
    return _weighed(phase.dev)


def count_rows(phases: Sequence[PhaseRows]) -> dict[str, dict[str, int]]:
    """How many rows went where, by method, for the update's report."""
    return {
        phase.method: {"new": len(phase.batch), "replayed": len(phase.learned), "dev": len(phase.dev)}
        for phase in phases
    }


def roles_in_words(counts: Mapping[str, int], preference: PreferenceChoice) -> str:
    """What is not counted, by why: "7 pair (no method: learners.preference is off), 2 aged out"; empty for nothing."""
    return ", ".join(f"{count} {why}{_no_method(why, preference)}" for why, count in counts.items())


def _no_method(why: str, preference: PreferenceChoice) -> str:
    if why not in get_args(RowRole):
        return ""
    return f" (no method: {preference.reason})" if why == "pair" else " (no method)"


def _text_of(row: Row) -> tuple[object, ...]:
    return row.origin, row.role, row.completion, row.rejected


def _weighed(rows: Sequence[Row]) -> tuple[Row, ...]:
    weights = normalise([row.weight for row in rows])
    return tuple(replace(row, weight=weight) for row, weight in zip(rows, weights, strict=True))
