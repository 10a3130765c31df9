"""ROUGE-L: how much of two texts is the same in the same order, by words. A report, never part of a signal.

The definition: the F1 of Lin 2004 ("ROUGE: A Package for Automatic Evaluation of Summaries", section 3.1, beta 1), on
the words of `\\w+`, casefolded, without stemming. rapidfuzz finds the longest common subsequence hundreds of times
faster than the rouge-score package, which keeps ASCII letters and digits alone and so scores no other script.
"""

from __future__ import annotations

import re

from rapidfuzz.distance import LCSseq

from .tokens import head_and_tail

_WORD = re.compile(r"\w+")


def rouge_l(said: str, wanted: str, max_words: int = 4000) -> float:
    """In [0, 1], symmetric; 1 for two texts without words. Beyond `max_words`, head and tail of a text count."""
    one, _ = head_and_tail(_WORD.findall(said.casefold()), max_words)
    other, _ = head_and_tail(_WORD.findall(wanted.casefold()), max_words)
    if not one and not other:
        return 1.0
    return 2 * LCSseq.similarity(one, other) / (len(one) + len(other))
