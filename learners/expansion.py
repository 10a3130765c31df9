"""Which of the rows that learners made are kept, and why not the others. Pure but for the validator that it is handed.

A made row stays its parent's: it has its origin, so that retraction, caps and lineage hold for it, and counts less. It
is kept only where a phase of the update learns from it, its answer passes the task's validator (where there is one), it
is neither a copy of another row nor something else than its parent, and nobody will judge by it: not the gate, of which
only hashes are known here, nor the dev fold.

Likeness is the edit ratio over those of prompt and answer that were changed. An answer made to replace a bad one need
not be like it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from consumers.cleaning import last_asked, prompt_key
from consumers.similarity import SimilaritySettings, similarity
from learners.hooks.contract import Expanded, Made
from learners.router import answer_key
from learners.validators import Validated
from storage.records import Message, Row

LEAST_LIKE, MOST_LIKE = 0.3, 0.99
MOST_SHARE = 0.95  # of its parent's weight that a made row counts at most
_EDIT = SimilaritySettings(edit=1.0, bleu=0.0)
_NEVER, _DEV, _NO_PHASE = "known to the gate", "in the dev fold", "no phase learns from it"
_COPY, _ELSE, _FAILED = "a copy", "something else", "did not pass the validator"


@dataclass(frozen=True, slots=True)
class Guard:
    """What a made row must get past.

    `gate` are keys of prompts, and of prompts with their answers, that the gate knows; `dev` of the dev fold's prompts;
    `present` of every row that is trained on anyway, with its answer.
    """

    validate: Callable[[Sequence[Message], str], Validated | None]
    taken: Callable[[Row], bool]
    gate: Collection[str]
    dev: Collection[str]
    present: Collection[str]


@dataclass(frozen=True, slots=True)
class Kept:
    """Made rows with the place of their parents; parents that gave way; why the others were not kept."""

    rows: tuple[tuple[int, Row], ...]
    gave_way: tuple[int, ...]
    looked_at: int
    why_not: Mapping[str, int]

    def words(self) -> str:
        """Such as "48 made, 30 kept; not: 12 did not pass the validator, 6 a copy"."""
        others = ", ".join(f"{count} {why}" for why, count in self.why_not.items())
        return f"{self.looked_at} made, {len(self.rows)} kept" + (f"; not: {others}" if others else "")


def keep(made: Expanded, batch: Sequence[Row], guard: Guard) -> Kept:
    """The rows of one learner that stand, at most `made.most` of each parent."""
    of_parent, why_not = Counter[int](), Counter[str]()
    present = set(guard.present)
    rows: list[tuple[int, Row]] = []
    gave_way: dict[int, None] = {}
    looked_at = 0
    for one in made.rows:
        if of_parent[one.parent] >= made.most:
            continue
        parent = batch[one.parent]
        row, looked_at = _of_parent(one, parent), looked_at + 1
        if why := _why_not(row, parent, present, guard):
            why_not[why] += 1
            continue
        of_parent[one.parent] += 1
        present.add(key_of(row))
        rows.append((one.parent, row))
        if one.instead:
            gave_way[one.parent] = None
    return Kept(tuple(rows), tuple(gave_way), looked_at, dict(why_not))


def _of_parent(made: Made, parent: Row) -> Row:
    """Whatever the learner says: it is its parent's, and counts less."""
    return replace(
        made.row,
        origin=parent.origin,
        user_id=None,
        effective_at=parent.effective_at,
        replay=False,
        made=made.how,
        weight=min(made.row.weight, MOST_SHARE * parent.weight),
    )


def _why_not(row: Row, parent: Row, present: Collection[str], guard: Guard) -> str:
    prompt, new = prompt_key(row.messages), row.messages != parent.messages
    if answer_key(row.messages, row.completion) in guard.gate or (new and prompt in guard.gate):
        return _NEVER
    if new and prompt in guard.dev:
        return _DEV
    if not guard.taken(row):
        return _NO_PHASE
    if key_of(row) in present:
        return _COPY
    if odd := _likeness_fault(row, parent):
        return odd
    judged = guard.validate(row.messages, row.completion)
    return _FAILED if judged is not None and not judged.passed else ""


def _likeness_fault(row: Row, parent: Row) -> str:
    if parent.role == "response":
        return ""
    texts = ((last_asked(row.messages), last_asked(parent.messages)), (row.completion, parent.completion))
    alike = [similarity(one, other, _EDIT).value for one, other in texts if one != other]
    if alike and min(alike) < LEAST_LIKE:
        return _ELSE
    same_pair = row.role == parent.role and min(alike, default=1.0) > MOST_LIKE
    return _COPY if same_pair else ""


def key_of(row: Row) -> str:
    """What tells a row from another: its prompt with its answer, and what was rejected of a pair."""
    return answer_key(row.messages, row.completion) + (f"|{row.rejected}" if row.role == "pair" else "")
