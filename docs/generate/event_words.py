"""What a kind of event means, from its model's docstring: what it is, its signal, what it teaches."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

from consumers.events import KINDS


@dataclass(frozen=True)
class Meaning:
    """A kind in words; a part that its docstring does not say is empty."""

    what: str
    signal: str
    teaches: str


def meaning_of(kind: str) -> Meaning:
    text = inspect.getdoc(KINDS[kind]) or ""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    marked = {mark: part for part in paragraphs for mark in ("Signal:", "Teaches:") if part.startswith(mark)}
    signal, teaches = (marked.get(mark, "").removeprefix(mark).strip() for mark in ("Signal:", "Teaches:"))
    return Meaning(paragraphs[0] if vars(KINDS[kind]).get("__doc__") else "", signal, teaches)
