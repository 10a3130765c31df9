"""Rows of evidence for the gate's tests, from numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime

from learners.gate import Answer, GateRow
from storage.records import Look

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = ["customer", "order", "invoice", "product", "address", "payment", "supplier", "warehouse"]


def text(number: int) -> str:
    """Some words, other ones for each number."""
    return f"{WORDS[number % 8]} {WORDS[number // 8 % 8]}{number} {WORDS[number * 5 % 8]} links to {number * 7}"


def scored(candidate: Sequence[float], champion: Sequence[float], *, weight: float = 1.0) -> list[GateRow]:
    """Rows with a validator's scores."""
    return [
        GateRow(str(at), weight, Answer(text(at), score=a), Answer(text(at + 3), score=b))
        for at, (a, b) in enumerate(zip(candidate, champion, strict=True))
    ]


def labelled(candidate: Sequence[float], champion: Sequence[float], users: Sequence[str] = ()) -> list[GateRow]:
    """Rows with a human target and its NLL per token under both."""
    return [
        GateRow(
            str(at),
            1.0,
            Answer(text(at), nll_per_token=a),
            Answer(text(at + 3), nll_per_token=b),
            target=text(at + 1),
            user=users[at] if users else f"u{at}",
        )
        for at, (a, b) in enumerate(zip(candidate, champion, strict=True))
    ]


def look(number: int, prompts: int) -> Look:
    return Look(update_id=1, number=number, prompts=prompts, verdict="hold", reason="", at=NOW)
