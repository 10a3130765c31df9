"""The little Markdown that generated pages need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

MADE = "<!-- Made from code by `make docs`; edit the code, not this page. -->\n"


def page(title: str, *parts: str) -> str:
    """A whole page: the note that it is generated, its title, its parts with an empty line between them."""
    return "\n".join([f"{MADE}\n# {title}\n", *(f"{part.strip()}\n" for part in parts if part.strip())])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty when it has no rows."""
    lines = [_line(cells) for cells in rows]
    return "\n".join([_line(header), _line(["---"] * len(header)), *lines]) + "\n" if lines else ""


def code(text: str) -> str:
    """Inline code, also where it holds backticks."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop, on one line."""
    words = " ".join(text.split())
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".!?:" else ".")


def as_json(value: Any) -> str:
    """As the committed JSON files are: sorted, indented, with a newline at the end."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
