"""Names that a prompt shares with its answer: found, replaced in both, and the words around them swapped. Pure.

What is a name follows from the rows alone, so that it needs no grammar: a word of the prompt that stands in the answer
too and looks like a name (a capital, a digit or an underscore in it). Where no row has such, any word will do that at
most a quarter of the rows share with their answers.

Limits: words of scripts without capitals count as names only by the second rule; numbers are never names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from random import Random

_WORD = re.compile(r"[^\W\d]\w*")
_MARKED = re.compile(r"[A-Z0-9_]")
SHARED_BY_FEW = 0.25
ALIKE = 0.5  # of the words of two answers, names aside, that must be the same for their prompts to ask alike


def names_of(rows: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[str, ...]]:
    """For each (prompt, texts) its names in the order of the prompt: words that the prompt and all texts hold."""
    shared = [_shared(prompt, texts) for prompt, texts in rows]
    held_by = Counter(word for words in shared for word in words)
    if any(_MARKED.search(word) for word in held_by):
        return [tuple(word for word in words if _MARKED.search(word)) for words in shared]
    few = max(1, int(SHARED_BY_FEW * len(rows)))
    return [tuple(word for word in words if held_by[word] <= few) for words in shared]


def _shared(prompt: str, texts: Sequence[str]) -> tuple[str, ...]:
    held = [set(_WORD.findall(text)) for text in texts]
    words = dict.fromkeys(_WORD.findall(prompt))
    return tuple(word for word in words if len(word) > 1 and all(word in each for each in held))


def rename(
    texts: Sequence[str], names: Collection[str], known: Sequence[str], random: Random
) -> tuple[str, ...] | None:
    """The texts with every name replaced by another of its shape that none of them holds, the same in all of them.

    None where there are no such names. A name's lower-case form inside a snake_case word goes with it.
    """
    present = {word for text in texts for word in _WORD.findall(text)}
    free = [word for word in random.sample(list(known), len(known)) if word not in present]
    chosen: dict[str, str] = {}
    for name in names:
        found = next((word for word in free if _shape(word) == _shape(name)), None)
        if found is not None:
            free.remove(found)
            chosen[name] = found
    if not chosen:
        return None
    return tuple(_replaced(text, chosen) for text in texts)


def _shape(word: str) -> tuple[bool, bool, bool]:
    return word[0].isupper(), "_" in word, word.isupper()


def _replaced(text: str, chosen: dict[str, str]) -> str:
    """In one pass, so that no name is replaced twice."""
    pieces = {name.lower(): word.lower() for name, word in chosen.items()}
    whole = "|".join(re.escape(name) for name in sorted(chosen, key=len, reverse=True))
    small = "|".join(re.escape(name) for name in sorted(pieces, key=len, reverse=True))
    pattern = rf"\b(?P<whole>{whole})\b|(?P<piece>(?<=_)(?:{small})(?![^\W_])|(?<![^\W_])(?:{small})(?=_))"
    return re.sub(pattern, lambda found: chosen[found[0]] if found["whole"] else pieces[found[0]], text)


def swap_frame(
    prompt: str,
    texts: Sequence[str],
    names: Sequence[str],
    other: str,
    others: Sequence[str],
    other_names: Sequence[str],
) -> str | None:
    """The prompt's names, as they are listed there, in the words around the other prompt's names.

    None unless both ask alike: the names are listed with the same marks between them, no word around them stands in an
    answer (it would mean something there), and the answers have at least half of their other words in common.
    """
    mine, its = _parted(prompt, names), _parted(other, other_names)
    if mine is None or its is None or mine.frame == its.frame or mine.marks != its.marks:
        return None
    if mine.means_something(texts) or its.means_something(others) or not _alike(texts, names, others, other_names):
        return None
    return f"{its.frame[0]}{mine.listed}{its.frame[1]}"


class _Parted:
    """A prompt as what stands before its names, the stretch that lists them, and what stands after."""

    def __init__(self, prompt: str, start: int, end: int, names: Collection[str]) -> None:
        self.listed, self.frame = prompt[start:end], (prompt[:start], prompt[end:])
        between = re.split("|".join(rf"\b{re.escape(name)}\b" for name in names), self.listed)
        self.marks = frozenset(part for part in between if part)

    def means_something(self, texts: Sequence[str]) -> bool:
        around = {word for part in self.frame for word in _WORD.findall(part)}
        return any(around & set(_WORD.findall(text)) for text in texts)


def _parted(prompt: str, names: Collection[str]) -> _Parted | None:
    places = [found.span() for name in names for found in re.finditer(rf"\b{re.escape(name)}\b", prompt)]
    if not places:
        return None
    return _Parted(prompt, min(start for start, _ in places), max(end for _, end in places), names)


def _alike(texts: Sequence[str], names: Collection[str], others: Sequence[str], other_names: Collection[str]) -> bool:
    mine = set(_WORD.findall(texts[0])) - set(names)
    its = set(_WORD.findall(others[0])) - set(other_names)
    return len(mine & its) >= ALIKE * max(len(mine | its), 1)
