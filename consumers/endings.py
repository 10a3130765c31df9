"""How an answer ended: whether it was cut off, or ran on after it should have stopped. Pure.

Neither may be imitated, however much people liked the beginning: the one teaches to stop anywhere, the other never to
stop. As something disliked they are as good as any.

`cut`: the finish reason says that the length or a content filter ended it. `run-on`: it ends in the same piece again
and again, as models do until the limit stops them; or it goes on into another turn, which shows as a template's mark
for a turn, or as a line that opens a speaker's turn where neither the prompt nor the answer's own first line does so.

Limits: the piece is between 2 and 200 characters, comes at least five times and fills at least 60 characters; a text
whose form is repetition (a rhyme, a table of equal rows to its end) is taken for a run-on. A dialogue that was asked
for is not, where the prompt shows one or the answer begins as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from storage.records import Message

Ending = Literal["cut", "run-on"]
CUT_REASONS = frozenset({"length", "content_filter"})
_PIECE, _TIMES, _AT_LEAST = 200, 5, 60
_STEP = _AT_LEAST // _TIMES  # characters that any such ending holds at least four times
_TURN_MARKS = re.compile(
    r"<\|(?:im_start|im_end|eot_id|start_header_id|end|endoftext|user|assistant|system)\|>"
    r"|<(?:start|end)_of_turn>|\[/?INST\]|</?s>\[|^#{2,3} (?:Instruction|Response):",
    re.MULTILINE,
)
_SPEAKER = re.compile(r"^(?:user|human|assistant|ai)\s*:", re.IGNORECASE | re.MULTILINE)


def ending_of(messages: Sequence[Message], text: str, finish_reason: str | None) -> Ending | None:
    """Why an answer is never to be imitated; None for one that ended where it should."""
    if finish_reason in CUT_REASONS:
        return "cut"
    return "run-on" if repeats(text) or _goes_on(messages, text) else None


def repeats(text: str) -> bool:
    """Whether the text ends in one piece again and again; the last of them may be broken off."""
    tail = text.rstrip()[-_PIECE * (_TIMES + 1) :]
    if len(tail) < _AT_LEAST or tail.count(tail[-_STEP:]) < _TIMES - 1:  # nearly all texts end here, at no cost
        return False
    return any(_is_made_of(tail, length) for length in range(2, min(_PIECE, len(tail) // _TIMES) + 1))


def _is_made_of(tail: str, length: int) -> bool:
    end = tail[-max(_AT_LEAST, _TIMES * length) :]
    said = any(character.isalnum() for character in end[-length:])
    return said and end[length:] == end[:-length]


def _goes_on(messages: Sequence[Message], text: str) -> bool:
    if _TURN_MARKS.search(text):
        return not any(_TURN_MARKS.search(message.content) for message in messages)
    turn = _SPEAKER.search(text)
    if turn is None or turn.start() == 0:
        return False
    return not any(_SPEAKER.search(message.content) for message in messages)
