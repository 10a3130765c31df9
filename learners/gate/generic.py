"""Which answers would fit any prompt: told by swapping prompts, without a model. Pure.

An answer is *generic* when either holds:

- **The words that set its prompt apart are not in it.** `fit(answer, prompt)` is the share of the prompt's words that
  the answer has, each word counted by log(prompts / prompts that have it): a word of every prompt counts nothing, so
  the wording of the task does not either. The answer is generic when its own prompt fits it no more than half as well
  again as the other prompts do on average. An answer that names nothing, and one that names everything, both are.
- **It was given, word for word, to a tenth of the different prompts or more**, and to two at least.

Why this: inverse document frequency is what dialogue research measures specific words by (Zhang et al. 2018, "Learning
to Control the Specificity in Neural Response Generation"); asking whether *another* prompt would do as well makes it a
yes or no that needs no scale, as in the next-utterance test of Lowe et al. 2015. A word is its first five characters,
which stands in for a stemmer in most European languages (McNamee and Mayfield 2004); CamelCase, snake_case and
trailing numbers are taken apart; in scripts without spaces every character is a word.

Limits: it sees words, not sense. An answer in another language than its prompt, a label ("yes"), a summary in other
words may all be right and generic here; so a rate is only read beside that of the champion and of humans on the same
prompts, and where half of the humans' own texts are generic the measure does not fit the task and says nothing. An
answer that only echoes its prompt passes. Fewer than ten different prompts tell nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from consumers.similarity import pieces

from .statistics import Floats

MIN_PROMPTS = 10
NO_BETTER = 1.5  # times the average of the other prompts' fit, up to which the own prompt fits no better
SAME_SHARE, SAME_LEAST = 0.1, 2
_STEM = 5
_MAX_PIECES = 4000
_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|_")


def find_generic(prompts: Sequence[str], answers: Sequence[str]) -> list[bool | None]:
    """Of each answer, whether it would fit any of these prompts; None where that cannot be told.

    Both sequences have one entry an answer; equal prompts count once. Takes about a millisecond an answer at 200.
    """
    different = {text: place for place, text in enumerate(dict.fromkeys(prompts))}
    if len(different) < MIN_PROMPTS:
        return [None] * len(answers)
    words = [stems(text) for text in different]
    own = np.array([different[text] for text in prompts])
    fits, telling = _fits(words, [stems(text) for text in answers])
    fit = fits[np.arange(len(own)), own]
    others = (fits.sum(axis=1) - fit) / (len(different) - 1)
    same = _given_to_many(own, answers, len(different))
    return [
        True if repeated else bool(a <= NO_BETTER * b) if telling[place] else None
        for repeated, a, b, place in zip(same, fit, others, own, strict=True)
    ]


def stems(text: str) -> frozenset[str]:
    """The different words of a text, casefolded, each cut to its first five characters."""
    parts = pieces(_JOINT.sub(" ", text))[:_MAX_PIECES]
    return frozenset(part.casefold()[:_STEM] for part in parts if part[0].isalnum())


def _fits(prompts: Sequence[frozenset[str]], answers: Sequence[frozenset[str]]) -> tuple[Floats, Floats]:
    """Of each answer with each prompt, shape (answers, prompts), in [0, 1]; which prompts have a word of their own."""
    spread = Counter(word for prompt in prompts for word in prompt)
    columns = {word: place for place, word in enumerate(spread)}
    counts = np.log(len(prompts) / np.array([spread[word] for word in columns]))
    of_prompts = _has(prompts, columns) * counts
    totals = of_prompts.sum(axis=1)
    shares = np.divide(of_prompts, totals[:, None], out=np.zeros_like(of_prompts), where=totals[:, None] > 0)
    return _has(answers, columns) @ shares.T, totals > 0


def _has(texts: Sequence[frozenset[str]], columns: dict[str, int]) -> Floats:
    found = np.zeros((len(texts), len(columns)))
    for place, text in enumerate(texts):
        found[place, [columns[word] for word in text if word in columns]] = 1.0
    return found


def _given_to_many(own: Floats, answers: Sequence[str], prompts: int) -> list[bool]:
    """Whether the same words were said to that many different prompts."""
    said = [" ".join(answer.casefold().split()) for answer in answers]
    times = Counter(text for text, _ in set(zip(said, own.tolist(), strict=True)))
    return [times[text] >= max(SAME_LEAST, SAME_SHARE * prompts) for text in said]
