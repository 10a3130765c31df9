"""What became of the new examples of a train job: which an optimizer step saw, and why not the others.

The daemon decides by it what counts as learned. An example has several rows at times, and one fate: it is learned where
a step saw one of them before the weights that were kept; else it goes back where one of them could still be learned;
else it is noise, known or unfit, the first of these that one of its rows is. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from learners.job import PhaseResult
from learners.training.bench import Bench
from learners.training.rows import RowFate
from storage.records import Origin, Row


@dataclass(frozen=True, slots=True)
class Fates:
    """`left_out` as noise; `unseen` by any step; `unfit`, by why, of which no text can be trained on. All others, and
    those of which the champion knew every row, are learned."""

    left_out: tuple[Origin, ...] = ()
    unseen: tuple[Origin, ...] = ()
    unfit: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)


def fates_of(
    given: Sequence[Row],
    batch: Collection[Origin] | None,
    benches: Sequence[Bench],
    noise: Collection[int],
    results: Sequence[PhaseResult] = (),
) -> Fates:
    """Of the examples of `given` (rows.jsonl, then what was made of them) that are not replayed.

    `batch` is what was chosen of them, None for all; of the others only the unfit are told. `noise` are lines that a
    schedule left out; `results` are of the benches, in their order, none where nothing was trained.
    """
    seen = set(_lines_seen(benches, results))
    lost = {line: lost for bench in benches for line, lost in bench.rows.lost.items()}
    lines: dict[Origin, list[int]] = {}
    for line, row in enumerate(given):
        if not row.replay:
            lines.setdefault(row.origin, []).append(line)

    def fate(line: int) -> RowFate | str:
        if line in lost:
            return lost[line].fate
        return "seen" if line in seen else "noise" if line in noise else "unseen"

    left_out, unseen, unfit = [], [], dict[str, list[Origin]]()
    for origin, mine in lines.items():
        fates, chosen = {fate(line) for line in mine}, batch is None or origin in batch
        if fates == {"unfit"}:
            unfit.setdefault(lost[mine[0]].reason, []).append(origin)
        elif chosen and "seen" not in fates and "unseen" in fates:
            unseen.append(origin)
        elif chosen and "seen" not in fates and "noise" in fates:
            left_out.append(origin)
    return Fates(tuple(left_out), tuple(unseen), {why: tuple(origins) for why, origins in unfit.items()})


def _lines_seen(benches: Sequence[Bench], results: Sequence[PhaseResult]) -> Iterator[int]:
    """Lines of the steps that led to the weights that were kept."""
    for bench, result in zip(benches, results, strict=False):
        for step in bench.plan.steps[: result.best_step or result.steps]:
            yield from (bench.rows.rows[place].line for place in step)
