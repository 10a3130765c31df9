"""Ids and names: short, visible, on one line.

They end up in tables, terminals and, for tasks, in paths and adapter names, so control characters (a newline, a
terminal's escape, a text-direction override) are refused here once rather than everywhere else.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from consumers.errors import Unreadable

_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def check_name(value: str, field: str, max_chars: int) -> None:
    """Raises Unreadable (`clean`) when an id or name is empty, too long, or holds control characters."""
    if len(value) <= max_chars and value.isprintable() and value.strip():
        return
    if not value.strip():
        raise Unreadable(f"{field}: empty", "clean")
    if len(value) > max_chars:
        raise Unreadable(f"{field}: {len(value)} characters, more than {max_chars}", "clean")
    if any(unicodedata.category(char) in _INVISIBLE for char in value):
        raise Unreadable(f"{field}: control characters", "clean")


@lru_cache(maxsize=256)  # few tasks, many events; what it raises is not remembered
def check_task(value: str, max_chars: int) -> None:
    """As `check_name`, and letters, digits and `. _ - /` only, since a task is also a folder and a part of `erd@v3`."""
    check_name(value, "task", max_chars)
    if not _TASK.fullmatch(value):
        raise Unreadable("task: only ASCII letters, digits and . _ - with / between parts", "clean")
