"""The rows of each phase on their way to a plan: read and encoded, sifted, and joined by what learners made.

Whatever is dropped on that way, weights are brought to mean 1 again, and a method is never left with rows from which it
cannot learn: KTO with one sign alone would only push one way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from consumers.rewards import normalise
from learners.job import DEV_ROWS, MadeRows, Phase, TrainJob
from learners.job_files import read_rows
from learners.lending import BORROWER, MIN_EACH_SIGN
from learners.methods import find_method
from learners.plan import once_each
from learners.training.rows import Encoded, EncodedRow, Lost, encode
from learners.training.sifting import sift
from storage.records import Origin, Row


@dataclass(frozen=True, slots=True)
class Part:
    """One phase's rows, as encoded; lines count over the whole of rows.jsonl. `notes` say what became of others."""

    phase: Phase
    rows: Encoded
    dev: Encoded
    notes: tuple[str, ...] = ()

    @property
    def stands_by(self) -> bool:
        """It was given no row, and none was given back to it."""
        return self.phase.rows == 0 and not self.rows.rows


def read_parts(directory: Path, job: TrainJob, tokenizer: Any, given: Sequence[Row]) -> list[Part]:
    """What fits of each phase's rows, which are its share of `given` and of the dev fold. Raises JobFileBroken."""
    given_dev = read_rows(directory / DEV_ROWS)
    parts, line, dev_line = [], 0, 0
    for phase in job.phases:
        end = len(given) if phase.rows is None else line + phase.rows
        dev_end = len(given_dev) if phase.dev_rows is None else dev_line + phase.dev_rows
        rows = encode(tokenizer, given[line:end], job.model.max_context, line)
        dev = encode(tokenizer, given_dev[dev_line:dev_end], job.model.max_context, dev_line)
        parts.append(Part(phase, rows, _evened(dev) if dev.lost else dev))
        line, dev_line = end, dev_end
    return parts


def only_of(rows: Encoded, given: Sequence[Row], batch: set[Origin]) -> Encoded:
    """The rows of the batch and what is replayed, their weights brought to mean 1 again."""
    kept = tuple(row for row in rows.rows if row.replay or given[row.line].origin in batch)
    return _evened(Encoded(kept, rows.lost))


def _evened(rows: Encoded) -> Encoded:
    """Weights brought to mean 1 again."""
    weights = normalise([row.weight for row in rows.rows])
    return Encoded(tuple(replace(row, weight=each) for row, each in zip(rows.rows, weights, strict=True)), rows.lost)


def sifted(job: TrainJob, part: Part, model: Any) -> Part:
    """The phase without rows that are outgrown."""
    rows, told = sift(job, part.rows, model)
    return replace(part, rows=_evened(rows) if rows.lost else rows, notes=(*part.notes, *told))


def workable(parts: Sequence[Part], given: Sequence[Row], dev: Sequence[Row]) -> list[Part]:
    """The phases, without any row where a method cannot learn from those left. Of them another phase has what it takes:
    SFT gave up its liked answers for KTO alone."""
    found = list(parts)
    for at, part in enumerate(parts):
        lacks, left = lacks_of(part.phase, [given[row.line] for row in part.rows.rows]), part.rows.rows
        if not lacks:
            continue
        for to, other in enumerate(parts):
            if to != at:
                back, left = _parted(left, given, other.phase)
                judging, _ = _parted(part.dev.rows, dev, other.phase)
                note = f"{len(back)} rows given back by {part.phase.method}, which were {lacks}"
                found[to] = _with_back(found[to], back, judging, note) if back else found[to]
        found[at] = replace(part, rows=Encoded((), part.rows.lost | _lost(left, lacks)))
    return found


def if_enough(part: Part) -> Part:
    """A phase that the batch by default had enough rows for may have too few in the one that was chosen."""
    rows, fewest = part.rows.rows, part.phase.fewest
    signs = Counter(row.desirable for row in rows)
    count = min(signs[True], signs[False]) if part.phase.method == BORROWER else len(rows)
    if count >= fewest:
        return part
    why = f"too few for {part.phase.method} in the chosen batch ({count} of {fewest})"
    return replace(part, rows=Encoded((), part.rows.lost | _lost(rows, why)))


def _lost(rows: Sequence[EncodedRow], why: str) -> dict[int, Lost]:
    """No step sees them; another update may."""
    return {row.line: Lost(why, "unseen") for row in rows}


def lacks_of(phase: Phase, rows: Sequence[Row]) -> str:
    """In words, what the phase's method wants before it can learn from these; empty for nothing, and for no rows."""
    return find_method(phase.method).lacks(rows) if rows else ""


def _parted(
    rows: Sequence[EncodedRow], given: Sequence[Row], phase: Phase
) -> tuple[tuple[EncodedRow, ...], tuple[EncodedRow, ...]]:
    """Those that the phase learns from, and the others."""
    taken = [taking((phase,), given[row.line]) is not None for row in rows]
    return (
        tuple(row for row, is_taken in zip(rows, taken, strict=True) if is_taken),
        tuple(row for row, is_taken in zip(rows, taken, strict=True) if not is_taken),
    )


def _with_back(part: Part, back: Sequence[EncodedRow], judging: Sequence[EncodedRow], note: str) -> Part:
    return replace(
        part,
        rows=_evened(Encoded((*part.rows.rows, *back), part.rows.lost)),
        dev=_evened(Encoded((*part.dev.rows, *judging), part.dev.lost)),
        notes=(*part.notes, note),
    )


def readable(part: Part, dev: Sequence[Row]) -> Encoded:
    """The rows of the dev fold by which the method can be judged: none that it would have to read alone, where no step
    may hold a prompt twice, and none at all where they lack what it needs."""
    method, given = find_method(part.phase.method), part.dev.rows
    kept, lacks = given, lacks_of(part.phase, [dev[row.line] for row in given])
    if method.prompt_once and not lacks:
        settings: Any = method.Settings.model_validate(part.phase.settings)
        steps = once_each([row.prompt_ids for row in given], settings.batch_size)
        kept = tuple(given[place] for place in sorted(place for step in steps for place in step))
        lacks = lacks_of(part.phase, [dev[row.line] for row in kept])
    if lacks:
        return Encoded((), part.dev.lost | _lost(given, lacks))
    return part.dev if len(kept) == len(given) else _evened(Encoded(kept, part.dev.lost))


def with_made(parts: Sequence[Part], made: MadeRows, job: TrainJob, tokenizer: Any, given: Sequence[Row]) -> list[Part]:
    """Each made row in the first phase that learns from it, weights brought to mean 1 again."""
    found, phases = [], at_work(parts)
    phase_of = [taking(phases, row) for row in made.rows]
    for part in parts:
        gone = _gone(part, made.gave_way)
        mine = [(at, row) for at, row in enumerate(made.rows) if phase_of[at] is part.phase]
        encoded = [encode(tokenizer, [row], job.model.max_context, len(given) + at) for at, row in mine]
        rows = [row for row in part.rows.rows if row.line not in gone]
        rows += [row for each in encoded for row in each.rows]
        lost = dict(part.rows.lost)
        for each in encoded:
            lost |= each.lost
        found.append(replace(part, rows=_evened(Encoded(tuple(rows), lost))))
    return found


def _gone(part: Part, gave_way: Collection[int]) -> set[int]:
    """Lines that give way to what was made in their place; of KTO's disliked answers it keeps as many as it needs."""
    if part.phase.method != BORROWER:
        return set(gave_way)
    disliked = [row.line for row in part.rows.rows if not row.desirable]
    giving = [line for line in disliked if line in gave_way]
    return set(giving[: max(0, len(disliked) - MIN_EACH_SIGN)])


def at_work(parts: Sequence[Part]) -> tuple[Phase, ...]:
    """The phases that have rows, or were meant to."""
    return tuple(part.phase for part in parts if not part.stands_by)


def taking(phases: Sequence[Phase], row: Row) -> Phase | None:
    """The phase that learns from a row."""
    for phase in phases:
        method = find_method(phase.method)
        if method.takes(row, method.Settings.model_validate(phase.settings)):
            return phase
    return None
