"""Rows that ask the same prompt are one piece of evidence. Pure.

Answers are greedy, so equal prompts get equal answers: what fifty users asked alike is read once and weighs as much as
their rows together (caps a user included), and is not fifty readings that happen to agree. Where rows of one prompt
differ, in what humans wrote there, their mean is what the prompt says: how well an adapter meets one prompt moves
all of them together.

Limits: equal prompts are told by their key (`storage.records.prompts`), near twins are not. A popular prompt outweighs
the others, so that they count as fewer: the effective number of prompts says how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .evidence import Answer, GateRow
from .statistics import Floats

Places = Sequence[Sequence[int]]


def by_prompt(rows: Sequence[GateRow]) -> Places:
    """Where in `rows` each different prompt stands, in the order of first appearance; a row without a key is alone."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(rows):
        key = ("row", str(place)) if row.prompt is None else ("prompt", row.prompt)
        found.setdefault(key, []).append(place)
    return list(found.values())


def one_value_each(places: Places, values: Floats, weights: Floats) -> Floats:
    """The weighted mean of each prompt's values, shape (prompts,); every weight is above 0."""
    return np.array([np.average(values[at], weights=weights[at]) for at in map(list, places)], dtype=np.float64)


def one_row_each(rows: Sequence[GateRow]) -> list[GateRow]:
    """A row a prompt: the newest that has a human text, else the newest, with the summed weight and the mean numbers.

    `rows` stand newest first, as a judging reads them.
    """
    return [_together([rows[place] for place in places]) for places in by_prompt(rows)]


def _together(rows: Sequence[GateRow]) -> GateRow:
    if len(rows) == 1:
        return rows[0]
    first = next((row for row in rows if row.target is not None), rows[0])
    weights = [row.weight for row in rows]
    return replace(
        first,
        weight=sum(weights),
        candidate=_mean_answer(first.candidate, [row.candidate for row in rows], weights),
        champion=_mean_answer(first.champion, [row.champion for row in rows], weights),
    )


def _mean_answer(first: Answer, said: Sequence[Answer], weights: Sequence[float]) -> Answer:
    names = dict.fromkeys(name for answer in said for name in answer.measures)
    means = {name: _mean((answer.measures.get(name) for answer in said), weights) for name in names}
    measures: Mapping[str, float] = {name: mean for name, mean in means.items() if mean is not None}
    return replace(
        first,
        score=_mean((answer.score for answer in said), weights),
        nll_per_token=_mean((answer.nll_per_token for answer in said), weights),
        measures=measures,
    )


def _mean(values: Iterable[float | None], weights: Sequence[float]) -> float | None:
    """Of those that are known and weigh anything."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None and weight > 0]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if known else None
