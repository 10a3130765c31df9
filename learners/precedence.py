"""Which of the rows of one interaction gives way, so that no text of it is trained on by two kinds of row. Pure.

One update must not push a text up and down, on whichever side of a comparison it stands: by SFT as an answer that was
liked, and by DPO as the one to which another was preferred. Nor should it push a text up twice: DPO's gradient is spent
on what SFT has learned. So what says most of a text is kept:

- A target, which is what a human would have the model say. A judged answer gives way to its correction, which says that
  it is not yet that. A pair that holds the target's text gives way: chosen, it is imitated already; rejected, a human's
  own words would be unlearned in the update that teaches them.
- Then a pair. It says what a thumb on one of its texts says, and beside what. An answer that was liked, and to which
  another was preferred, is not yet what should be imitated either; the other one is, and DPO's loss holds the chosen
  text's own likelihood. So a judged answer, liked or not, gives way to a pair that holds it.
- Then a judged answer.

A row gives way only to one that a method takes: where an update has no DPO phase, an answer that was liked is learned,
whatever it was compared with. Pairs that share one text are different comparisons, of one method, and all stay.

Limits: texts are the same where they differ by white space around them alone. An answer that came in two interactions
is two answers.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.records import Row

_Text = tuple[str, str]  # with its interaction


class Precedence:
    """What the rows that methods take say of the texts of their interactions."""

    def __init__(self, taken: Iterable[Row]) -> None:
        rows = list(taken)
        targets = [row for row in rows if row.role == "target"]
        self._corrected = {row.origin for row in targets}
        self._imitated = {_text_of(row) for row in targets}
        pairs = [row for row in rows if row.role == "pair" and not self.says_more_than(row)]
        self._compared = {text for row in pairs for text in _texts_of(row)}

    def says_more_than(self, row: Row) -> bool:
        """Whether the row gives way."""
        if row.role == "pair":
            return not self._imitated.isdisjoint(_texts_of(row))
        return row.role == "response" and (row.origin in self._corrected or _text_of(row) in self._compared)


def _text_of(row: Row) -> _Text:
    return row.origin.interaction_id, row.completion.strip()


def _texts_of(pair: Row) -> tuple[_Text, _Text]:
    return _text_of(pair), (pair.origin.interaction_id, (pair.rejected or "").strip())
