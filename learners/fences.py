"""The code fence that a chat model likes to put around an answer, and nothing else of Markdown."""

from __future__ import annotations

import re
from typing import Final

_FENCE: Final = re.compile(r"```[^\n`]*\n(.*)\n[ \t]*```", re.DOTALL)


def unfenced(answer: str) -> str:
    """The answer without the spaces around it and without the one fence around all of it, if there is one.

    Text before or after a fence is left where it is: an answer that talks is not the bare answer that was asked for.
    """
    text = answer.strip()
    fenced = _FENCE.fullmatch(text) if text.startswith("```") and text.endswith("```") else None
    return fenced[1].strip() if fenced else text
