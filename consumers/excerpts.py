"""The redacted excerpt of a dead letter: a message's shape, so that a sender's fault can be found without its text.

Shown are known field names, types, lengths and a known `kind`. Never a value, and never a key that a sender made up.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from storage.records import KINDS

from .reasons import known_fields

_MAX_CHARS = 500
_MAX_PARSED_BYTES = 2**20
_MAX_ITEMS = 32
_LEVELS = 3


def excerpt(data: bytes) -> str:
    """The shape of a message in at most 500 characters, such as `{kind: rating, prompt: text(12), ?: 1 unknown}`."""
    if len(data) > _MAX_PARSED_BYTES:
        return f"{len(data)} bytes"
    try:
        message = from_json(data)
    except ValueError:
        return f"not JSON, {len(data)} bytes"
    return _shape(message, _LEVELS)[:_MAX_CHARS]


def _shape(value: Any, levels: int) -> str:
    if isinstance(value, str):
        return f"text({len(value)})"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        return _object(value, levels) if levels else f"object({len(value)})"
    if isinstance(value, list):
        return f"list({len(value)})" + (f" of {_shape(value[0], levels - 1)}" if value and levels else "")
    return "null"


def _object(value: dict[str, Any], levels: int) -> str:
    known = [key for key in value if key in known_fields()]
    parts = [f"{key}: {_field(key, value[key], levels - 1)}" for key in known[:_MAX_ITEMS]]
    if len(known) < len(value):
        parts.append(f"?: {len(value) - len(known)} unknown")
    return "{" + ", ".join(parts) + "}"


def _field(key: str, value: Any, levels: int) -> str:
    return value if key == "kind" and value in KINDS else _shape(value, levels)
