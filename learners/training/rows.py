"""Rows to token ids and labels.

The loss is that of the completion alone: labels of prompt tokens are -100, and every completion ends in the stop
token. A row that is longer than the window is dropped with a reason, because a cut answer teaches to stop too late. Of
a pair, both texts must fit, and they must differ once they are tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from datasets import Dataset

from learners.rendering import render_row
from storage.records import Row

IGNORED = -100


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A row as the model sees it. `line` is its place in rows.jsonl, from 0; `rejected_ids` are a pair's alone.

    `desirable` is the sign of its reward.
    """

    line: int
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    weight: float
    replay: bool
    rejected_ids: tuple[int, ...] = ()
    desirable: bool = True

    @property
    def length(self) -> int:
        return len(self.prompt_ids) + max(len(self.completion_ids), len(self.rejected_ids))


RowFate = Literal["unfit", "known", "unseen"]  # no update can train on it; the champion knows it; another update may


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a row is not trained on, in words and for what becomes of it."""

    reason: str
    fate: RowFate


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows that can be trained on, and why the others cannot, by line."""

    rows: tuple[EncodedRow, ...]
    lost: dict[int, Lost]

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many rows cannot be trained on, by reason."""
        return dict(Counter(each.reason for each in self.lost.values()))


def encode(tokenizer: Any, rows: Sequence[Row], max_context: int, first_line: int = 0) -> Encoded:
    """Renders every row, the first of which stands in line `first_line`.

    Drops those longer than `max_context` tokens, those that count nothing, and pairs of which both texts are the same.
    """
    encoded = [_encode_one(tokenizer, line, row) for line, row in enumerate(rows, first_line)]
    reasons = {row.line: _why_not(row, max_context) for row in encoded}
    kept = tuple(row for row in encoded if not reasons[row.line])
    return Encoded(kept, {line: Lost(reason, "unfit") for line, reason in reasons.items() if reason})


def as_dataset(rows: Sequence[EncodedRow]) -> Dataset:
    """Rows as TRL takes them."""
    return Dataset.from_list(
        [
            {
                "input_ids": [*row.prompt_ids, *row.completion_ids],
                "labels": [*(IGNORED for _ in row.prompt_ids), *row.completion_ids],
                "weight": row.weight,
                "line": row.line,
            }
            for row in rows
        ]
    )


def as_pairs(rows: Sequence[EncodedRow]) -> Dataset:
    """Pairs as TRL's collator for preferences takes them."""
    return Dataset.from_list(
        [
            {
                "prompt_ids": list(row.prompt_ids),
                "chosen_ids": list(row.completion_ids),
                "rejected_ids": list(row.rejected_ids),
                "weight": row.weight,
                "line": row.line,
            }
            for row in rows
        ]
    )


def as_judged(rows: Sequence[EncodedRow], weights: Sequence[float]) -> Dataset:
    """Answers with their labels, as TRL's collator for unpaired preferences takes them, counting by `weights`."""
    return Dataset.from_list(
        [
            {
                "prompt_ids": list(row.prompt_ids),
                "completion_ids": list(row.completion_ids),
                "label": row.desirable,
                "weight": weight,
                "line": row.line,
            }
            for row, weight in zip(rows, weights, strict=True)
        ]
    )


def _encode_one(tokenizer: Any, line: int, row: Row) -> EncodedRow:
    prompt_ids, completion_ids = render_row(tokenizer, row.messages, row.completion)
    rejected_ids: list[int] = []
    if row.role == "pair" and row.rejected is not None:
        _, rejected_ids = render_row(tokenizer, row.messages, row.rejected)
    return EncodedRow(
        line,
        tuple(prompt_ids),
        tuple(completion_ids),
        row.weight,
        row.replay,
        tuple(rejected_ids),
        desirable=row.reward > 0,
    )


def _why_not(row: EncodedRow, max_context: int) -> str:
    if row.length > max_context:
        return f"longer than {max_context} tokens"
    if row.rejected_ids == row.completion_ids:
        return "both texts the same"
    return "weight 0" if row.weight == 0 else ""
