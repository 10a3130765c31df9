"""Texts and loose values (`context`, `sampling`, tool calls): length, depth, NUL, and numbers that are none."""

from __future__ import annotations

from math import isfinite
from typing import Any

from consumers.errors import Unreadable

_INT_LIMIT = 2**63
_NESTED = (dict, list)  # a tuple: `dict | list` would be built anew on every call


def check_text(text: str, field: str, max_chars: int) -> None:
    """Raises Unreadable (`clean`) when a text is longer than `max_chars` characters."""
    if len(text) > max_chars:
        raise Unreadable(f"{field}: {len(text)} characters, more than {max_chars}", "clean")


def check_no_nul(value: Any, field: str = "") -> None:
    """Raises Unreadable (`clean`), naming the field, when a string anywhere in plain JSON data, keys too, holds NUL.

    Recursive: call it after the depth has been checked.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise Unreadable(f"{field}: NUL in a text" if field else "NUL in a text", "clean")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_no_nul(key, field)
            check_no_nul(item, field)
    elif isinstance(value, list | tuple):
        for item in value:
            check_no_nul(item, field)


def check_loose(value: Any, field: str, depth: int, max_depth: int) -> None:
    """Raises Unreadable (`clean`) when loose JSON data is nested too deep or holds a number that cannot be kept.

    `depth` is the level that `value` itself stands on (1 is the message). Integers must fit 64 bits: beyond, stores
    and other readers of the same JSON disagree about them.
    """
    if isinstance(value, _NESTED):
        if depth > max_depth:
            raise Unreadable(f"nested deeper than {max_depth}", "clean")
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, str):
                check_loose(item, field, depth + 1, max_depth)
    elif isinstance(value, float):
        if not isfinite(value):
            raise Unreadable(f"{field}: a number that is not finite", "clean")
    elif isinstance(value, int) and not -_INT_LIMIT <= value < _INT_LIMIT:
        raise Unreadable(f"{field}: an integer beyond 64 bits", "clean")
