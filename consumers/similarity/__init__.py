"""How alike two texts are, in [0, 1]: what the model said, and what a human made of it.

A weighted mean of two parts, the edit ratio over characters and BLEU over words. A part of weight 0 is not computed,
and the other stands alone. Edit distance is quadratic, so beyond stated lengths texts are compared word by word, and
beyond more by their heads and tails, with a flag. Embedding cosine is not here: it needs a model, so the worker has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import model_validator

from storage.records.settings import Settings, setting

from .bleu import bleu
from .edit import edit_ratio
from .rouge import rouge_l
from .tokens import head_and_tail, pieces, words

__all__ = ["Similarity", "SimilaritySettings", "bleu", "edit_ratio", "pieces", "rouge_l", "similarity", "words"]


class SimilaritySettings(Settings):
    """Which parts count how much, and up to which length texts are compared whole."""

    edit: float = setting(
        0.5, doc="weight of the edit ratio (python-Levenshtein); 0 turns it off", unit="weight", ge=0, le=1
    )
    bleu: float = setting(0.5, doc="weight of BLEU (as nltk defines it); 0 turns it off", unit="weight", ge=0, le=1)
    max_chars: int = setting(
        4000, doc="characters up to which the edit ratio is taken over characters", unit="characters", ge=1
    )
    max_words: int = setting(
        4000,
        doc="words (and marks between them) up to which texts are compared whole; beyond, head and tail",
        unit="words",
        ge=2,
    )

    @model_validator(mode="after")
    def _one_part_is_on(self) -> Self:
        if self.edit + self.bleu <= 0:
            raise ValueError("similarity: edit and bleu are both 0; give at least one of them a weight")
        return self


@dataclass(frozen=True, slots=True)
class Similarity:
    """`value`, `edit` and `bleu` in [0, 1], 1 for equal texts; a part that is off is None."""

    value: float
    edit: float | None
    bleu: float | None
    truncated: bool


def similarity(said: str, wanted: str, settings: SimilaritySettings) -> Similarity:
    """How alike `said` (BLEU's hypothesis) is to `wanted` (its reference). Not symmetric, since BLEU is not.

    Equal texts are 1 in every part, also where BLEU is not defined for them (no words at all).
    """
    edit, edit_cut = _edit(said, wanted, settings) if settings.edit else (None, False)
    shared, bleu_cut = _bleu(said, wanted, settings) if settings.bleu else (None, False)
    total = settings.edit * (edit or 0.0) + settings.bleu * (shared or 0.0)
    value = min(1.0, total / (settings.edit + settings.bleu))
    return Similarity(value, edit, shared, edit_cut or bleu_cut)


def _edit(said: str, wanted: str, settings: SimilaritySettings) -> tuple[float, bool]:
    if said == wanted:
        return 1.0, False
    if max(len(said), len(wanted)) <= settings.max_chars:
        return edit_ratio(said, wanted), False
    one, one_cut = head_and_tail(pieces(said), settings.max_words)
    other, other_cut = head_and_tail(pieces(wanted), settings.max_words)
    return edit_ratio(one, other), one_cut or other_cut


def _bleu(said: str, wanted: str, settings: SimilaritySettings) -> tuple[float, bool]:
    if said == wanted:
        return 1.0, False
    one, one_cut = head_and_tail(words(said), settings.max_words)
    other, other_cut = head_and_tail(words(wanted), settings.max_words)
    return bleu(one, other), one_cut or other_cut
