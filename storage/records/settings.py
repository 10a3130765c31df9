"""The base of every Settings class, and the units that people write in YAML.

Each room keeps its own Settings beside its code; `daemon.config` only composes them. A setting says in its
`description` what it does, by `setting(live=...)` whether a running daemon takes a change without a restart, and by
`setting(unit=...)` what its number counts, where neither its type (a duration, a size) nor its values say so.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_DURATION = r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)"
_SIZE = r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
LONGEST_S = 100 * 365 * 86400.0  # no setting means more, and times of day cannot be reckoned with far more
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Settings(BaseModel):
    """Frozen; a key it does not know is an error rather than a silence, and so is .inf or .nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def setting(
    default: Any = ..., *, doc: str, live: bool = True, unit: str = "", scores: bool = True, **limits: Any
) -> Any:
    """A documented field: `doc` goes to the schema and the docs, `live` says whether it can change while running.

    `unit` is what a number counts, such as `rows` or `share`; every setting that takes a number needs one. `scores` is
    false for one of a validator's that decides no score, such as a time limit: when it changes, older scores can still
    be compared with newer ones.
    """
    extra: dict[str, Any] = {"live": live} | ({"unit": unit} if unit else {}) | ({} if scores else {"scores": False})
    return Field(default, description=doc, json_schema_extra=extra, **limits)


def parse_duration_s(value: Any) -> Any:
    """`10m`, `0s`, `365d` or a number of seconds, as seconds. Raises ValueError with the accepted forms."""
    if isinstance(value, bool) or not isinstance(value, str):
        return value
    found = re.fullmatch(_DURATION, value.strip())
    if not found:
        raise ValueError(f"{value!r} is not a duration; write a number and one of ms s m h d w, such as 10m or 30d")
    return float(found[1]) * _SECONDS[found[2]]


def parse_size_bytes(value: Any) -> Any:
    """`2GiB`, `512KiB` or a number of bytes, as bytes. Raises ValueError with the accepted forms."""
    if isinstance(value, bool) or not isinstance(value, str):
        return value
    found = re.fullmatch(_SIZE, value.strip())
    if not found:
        raise ValueError(f"{value!r} is not a size; write a number and one of B KiB MiB GiB TiB, such as 2GiB")
    size = float(found[1]) * _BYTES[found[2]]
    if not isfinite(size):
        raise ValueError("more bytes than a number can say; write a smaller one, such as 2GiB")
    return int(size)


def _or_text(kind: str, pattern: str, **limits: float) -> WithJsonSchema:
    text = {"type": "string", "pattern": f"^\\s*{pattern}\\s*$"}
    return WithJsonSchema({"anyOf": [{"type": kind, "minimum": 0, **limits}, text]})


DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    Field(ge=0, le=LONGEST_S),
    _or_text("number", _DURATION, maximum=LONGEST_S),
]
SizeBytes = Annotated[int, BeforeValidator(parse_size_bytes), Field(ge=0), _or_text("integer", _SIZE)]
