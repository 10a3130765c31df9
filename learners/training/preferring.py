"""In an evaluate job, after both contenders have answered: which answer people would prefer, where the job asks for it.

By a judge, whose address is in the job; and by the win-rate head, learned here from pairs.jsonl, which the daemon
writes where the head may decide. Neither is needed for a judging: where the head cannot be made, the report says why,
and the gate reads something else. A judge that was asked for and does not answer fails the job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumers.cleaning import last_asked
from learners.embeddings import open_encoder
from learners.errors import EmbeddingsMissing
from learners.job import PAIRS, AnswerPair, EvaluateJob
from learners.job_files import read_pairs, read_prompts
from learners.pairwise.head import Compared, HeadReport, learn_head
from learners.pairwise.judge import Duel, Judge, JudgeSettings


@dataclass(frozen=True, slots=True)
class Preferred:
    """The answers with what was preferred, and what to report of it by `judge` and `win_rate`."""

    answers: tuple[AnswerPair, ...]
    reports: dict[str, dict[str, Any]]


def prefer(directory: Path, job: EvaluateJob, answers: Sequence[AnswerPair]) -> Preferred:
    """Of the gate's own prompts, which come first. Raises JudgeUnusable, JudgeUnreachable, JobFileBroken."""
    asked = {prompt.id: last_asked(prompt.messages) for prompt in read_prompts(directory) if prompt.part == "gate"}
    told = [answer for answer in answers if answer.part == "gate"]
    others = [answer for answer in answers if answer.part != "gate"]
    duels = [Duel(asked[each.id], each.candidate.text, each.champion.text) for each in told]
    reports: dict[str, dict[str, Any]] = {}
    if job.judge is not None and duels:
        judged = Judge(JudgeSettings.model_validate(job.judge)).compare(duels)
        told = _with("judge", told, judged.preferences)
        reports["judge"] = {"disagreed": judged.disagreed, "unreadable": judged.unreadable, "compared": len(duels)}
    if (directory / PAIRS).exists():
        shares, report = _by_head(directory, job, duels)
        told = _with("win_rate", told, shares)
        longer = [len(duel.one) > len(duel.other) for duel in duels if duel.one != duel.other]
        reports["win_rate"] = report.plain() | {"longer": sum(longer) / len(longer) if longer else None}
    return Preferred((*told, *others), reports)


def _by_head(directory: Path, job: EvaluateJob, duels: Sequence[Duel]) -> tuple[Sequence[float | None], HeadReport]:
    nobody: list[float | None] = [None] * len(duels)
    pairs = [Compared(one.prompt, one.chosen, one.rejected, one.weight) for one in read_pairs(directory)]
    try:
        head, report = learn_head(pairs, _encode(job), job.update_id)
        if head is None:
            return nobody, report
        sides = ([duel.one for duel in duels], [duel.other for duel in duels])
        return head.preferences([duel.prompt for duel in duels], *sides), report
    except EmbeddingsMissing as missing:
        return nobody, HeadReport(False, f"not used: {missing}", len(pairs), len({one.prompt for one in pairs}))


def _encode(job: EvaluateJob) -> Callable[[Sequence[str]], Any]:
    """Opens the model when the first text is to be read, so that too few pairs cost nothing."""
    return lambda texts: open_encoder(job.embeddings.model, job.embeddings.cache).encode(texts)


def _with(who: str, answers: Sequence[AnswerPair], shares: Sequence[float | None]) -> list[AnswerPair]:
    return [
        answer if share is None else answer.model_copy(update={"preferred": {**answer.preferred, who: share}})
        for answer, share in zip(answers, shares, strict=True)
    ]
