"""What an exam says of a model: shares in [0, 1]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.learning.tasks import Judged
from bench.learning.users import Reply


@dataclass(frozen=True, slots=True)
class Metrics:
    """`score`, `generic`, `right` (nothing to wish for) and `alike` (the commonest answer's share) are of the plain
    prompts; `edge` is the pass rate on those for an edge case."""

    score: float
    edge: float
    generic: float
    right: float
    alike: float


def measure(answers: Sequence[tuple[Reply, Judged]], plain: int) -> Metrics:
    """Of an exam whose first `plain` prompts ask for no edge case."""
    ordinary, rare = answers[:plain], answers[plain:]
    said = Counter(reply.text for reply, _ in ordinary)
    return Metrics(
        score=_mean([judged.score for _, judged in ordinary]),
        edge=_mean([float(bool(judged.edge)) for _, judged in rare]),
        generic=_mean([float(judged.generic) for _, judged in ordinary]),
        right=_mean([float(judged.right) for _, judged in ordinary]),
        alike=max(said.values(), default=0) / max(1, len(ordinary)),
    )


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
