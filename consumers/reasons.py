"""Why a message could not be read, in short stable words: from pydantic's errors and from JSON that is none.

Reasons go into dead letters, logs and metrics, so they name known fields only: a key that a sender made up may be
user text as well.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from storage.records import KINDS

from .events import AnyWire, LimitSettings, WireMessage, WirePart, WireScale, WireTarget

_WORDS = {
    "missing": "missing",
    "finite_number": "not a finite number",
    "float_type": "not a number",
    "int_type": "not a whole number",
    "string_type": "not a text",
    "string_unicode": "not valid Unicode",
    "bool_type": "not true or false",
    "list_type": "not a list",
    "dict_type": "not an object",
    "model_type": "not an object",
    "model_attributes_type": "not an object",
    "greater_than": "out of range",
    "less_than_equal": "out of range",
    "greater_than_equal": "out of range",
    "literal_error": "not one of the allowed words",
    "union_tag_not_found": "missing",
    "union_tag_invalid": "not one of the eight kinds",
}


@lru_cache(maxsize=1)
def known_fields() -> frozenset[str]:
    """Every field name of the wire: safe to show, since a sender did not make it up."""
    models: list[type[BaseModel]] = [*AnyWire.__args__, WireMessage, WirePart, WireScale, WireTarget]
    return frozenset(field.alias or name for model in models for name, field in model.model_fields.items())


def reason_of(error: ValidationError) -> str | None:
    """The first thing that is wrong, as `field: words`; None when it is the JSON itself (ask `why_not_json`)."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return None
    kind, place = first["type"], _place(first["loc"])
    if kind.startswith("union_tag"):
        place = "kind"
    if place == "schema" and kind in {"less_than_equal", "greater_than_equal"}:
        return "schema: not 1, the only one known"
    if kind == "dict_type" and not first["loc"]:
        return "not a JSON object"
    return f"{place}: {_WORDS.get(kind, 'not understood')}" if place else _WORDS.get(kind, "not understood")


def _place(loc: tuple[int | str, ...]) -> str:
    """Where: known names and numbers, without the kind and the type names that pydantic puts between them."""
    steps = loc[1:] if loc and loc[0] in KINDS else loc
    return ".".join(str(step) for step in steps if isinstance(step, int) or step in known_fields())


def why_not_json(data: bytes, limits: LimitSettings) -> str:
    """What keeps these bytes from being JSON as we take it. Slow and thorough: called for dead letters alone."""
    if not data.strip():
        return "empty"
    try:
        value: Any = json.loads(data.decode())
        if _holds_surrogate(value):
            return _of_field(value, "a lone surrogate")
    except UnicodeDecodeError:
        return "not UTF-8"
    except json.JSONDecodeError:
        return "not JSON"
    except ValueError:
        return "a number with too many digits"
    except RecursionError:
        pass
    return f"nested deeper than {limits.max_depth}"


def _of_field(value: Any, words: str) -> str:
    """The first field of the wire that holds a lone surrogate, before the words; the words alone where none does."""
    fields = value.items() if isinstance(value, dict) else ()
    place = next((field for field, item in fields if field in known_fields() and _holds_surrogate(item)), "")
    return f"{place}: {words}" if place else words


def _holds_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
