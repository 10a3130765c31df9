"""Which answers to ask people about: the few whose judgement would teach most. Pure, and without torch.

Two things make a question worth its while. Its prompt stands for many that nobody has judged anything like
(`learners.diversity`, over hashed words weighed by how rare they are); and what was answered there is in doubt: by the
task's validator, where there is one, else by how people judged the answers to prompts like it. What is in doubt counts
more among what is to be stood for, so a question in the midst of weak answers gains most.

Limits: words, not meaning; the likelihood of the answer under the champion would take the engine, and is not asked.
No user gives more than their share of the questions, so that one loud app is not all that people are asked about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from consumers.cleaning import prompt_key
from learners.diversity import cover, nearness
from learners.ngrams import Vectors, ngram_vectors
from storage.records import Example

UNKNOWN = 0.5  # doubt where nobody has judged anything alike
PRIOR = 0.5  # how much that counts, in prompts that are wholly alike
LEAST = 0.25  # so much an answer without any doubt counts beside one in full doubt
ALIKE = 0.5  # similarity from which people would call two prompts alike


@dataclass(frozen=True, slots=True)
class Question:
    """One answer to ask about. `score` in [0, 1] is its share of all that is left to be stood for by then."""

    example: Example
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions, best first; `same_prompt` had a prompt that is asked about already, `over_share` a user with their
    share of the questions already."""

    questions: tuple[Question, ...]
    same_prompt: int
    over_share: int


def asked_text(example: Example) -> str:
    """What the user said last."""
    return next((message.content for message in reversed(example.messages) if message.role == "user"), "")


def signal_about(example: Example) -> float | None:
    """How good its answer was found, in [0, 1]; None where nobody said."""
    if example.scalar is not None:
        return example.scalar.signal
    return example.correction.signal if example.correction is not None else None


def choose_questions(
    candidates: Sequence[Example],
    judged: Sequence[Example],
    count: int,
    *,
    max_share_per_user: float,
    scores: Sequence[float | None],
) -> Asked:
    """At most `count` of the candidates (unlabelled); `scores` are a validator's of their answers, in [0, 1]."""
    different = _different_prompts(candidates)
    known = [example for example in judged if signal_about(example) is not None]
    mine, theirs = _vectors([asked_text(candidates[at]) for at in different], [asked_text(each) for each in known])
    said = np.array([signal_about(example) for example in known], dtype=np.float64)
    doubts, why = _doubts(mine, theirs, said, [scores[at] for at in different])
    near = nearness(mine, theirs)
    worth = LEAST + (1 - LEAST) * doubts
    users = [candidates[at].user_id for at in different]
    cap, whole = ceil(max_share_per_user * count), max(float(worth.sum()), 1e-9)
    picks = cover(mine, count, weights=list(worth), known=theirs, groups=users, most=cap)
    questions = tuple(
        Question(
            candidates[different[pick.place]],
            min(1.0, pick.gain / whole),
            f"{_stands(pick.stands_for, near[pick.place])}; {why[pick.place]}",
        )
        for pick in picks
    )
    full = {user for user, held in Counter(users[pick.place] for pick in picks).items() if held >= cap}
    over = sum(user in full for user in users) - sum(users[pick.place] in full for pick in picks)
    return Asked(questions, len(candidates) - len(different), over)


def _different_prompts(candidates: Sequence[Example]) -> list[int]:
    first: dict[str, int] = {}
    for at, example in enumerate(candidates):
        first.setdefault(prompt_key(example.messages), at)
    return list(first.values())


def _vectors(mine: Sequence[str], theirs: Sequence[str]) -> tuple[Vectors, Vectors]:
    """Weighed by rarity (inverse document frequency), so that what every prompt says makes none alike."""
    together = ngram_vectors([*mine, *theirs])
    holding = (together != 0).sum(axis=0)
    weighed = together * np.log((1 + len(together)) / (1 + holding) + 0.1)[None, :].astype(np.float32)
    lengths = np.linalg.norm(weighed, axis=1, keepdims=True)
    whole: Vectors = np.where(lengths > 0, weighed / np.maximum(lengths, 1e-9), together).astype(np.float32)
    return whole[: len(mine)], whole[len(mine) :]


def _doubts(
    mine: Vectors, theirs: Vectors, said: NDArray[np.float64], scores: Sequence[float | None]
) -> tuple[NDArray[np.float64], list[str]]:
    """In [0, 1], and in words: what the validator missed, else the mean shortfall of prompts like it."""
    alike = np.maximum(mine @ theirs.T, 0.0).astype(np.float64) ** 2 if len(theirs) else np.zeros((len(mine), 0))
    mass = alike.sum(axis=1)
    doubts = (PRIOR * UNKNOWN + alike @ (1 - said)) / (PRIOR + mass)
    words = []
    for at, score in enumerate(scores):
        if score is not None:
            doubts[at] = 1 - score
            words.append(f"the validator gave its answer {100 * score:.0f} of 100")
        elif mass[at] >= PRIOR:
            found = float(alike[at] @ said / mass[at])
            words.append(f"answers to prompts like it were found {100 * found:.0f} of 100")
        else:
            words.append("hardly anything like it was judged")
    return doubts, words


def _stands(others: int, near: float) -> str:
    alone = "its prompt is like no other here" if others <= 1 else f"its prompt stands for {others - 1} others"
    return alone if near < ALIKE else f"{alone}, though some of its words were judged before"
