"""One setting in words: its type with its limits, its default as YAML would have it, its unit."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from docs.generate.markdown import code
from storage.records.settings import LONGEST_S, parse_duration_s, parse_size_bytes

_PLAIN = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", datetime: "time"}
_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
_SECONDS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_BYTES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))
_UNITS = {"duration": _SECONDS, "size": _BYTES}


def type_of(field: FieldInfo) -> str:
    """Such as `whole number, at least 1` or `engine or directory, any of them`."""
    bounds = [_bound(field, name, words) for name, words in _BOUNDS]
    bounds.append("not empty" if any(getattr(part, "min_length", 0) for part in field.metadata) else "")
    return ", ".join([_kind(field) or _words(field.annotation), *(words for words in bounds if words)])


def default_of(field: FieldInfo) -> str:
    """As it would stand in adaptd.yaml; `required` where there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    kind = _kind(field)
    if kind and isinstance(value, int | float):
        return code(_scaled(float(value), _UNITS[kind]))
    return "none" if value is None else code(_yaml(value))


def unit_of(field: FieldInfo) -> str:
    """What its number counts; empty where it has none, or says its unit itself."""
    if kind := _kind(field):
        return {"duration": "time", "size": "bytes"}[kind]
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, Mapping) else ""


def is_number(field: FieldInfo) -> bool:
    """Whether its value may be a number, durations and sizes included."""
    return any(part in (int, float) for part in _parts(field.annotation))


def _kind(field: FieldInfo) -> str:
    for part in field.metadata:
        if isinstance(part, BeforeValidator) and part.func in (parse_duration_s, parse_size_bytes):
            return "duration" if part.func is parse_duration_s else "size"
    return ""


def _bound(field: FieldInfo, name: str, words: str) -> str:
    found = [getattr(part, name) for part in field.metadata if getattr(part, name, None) is not None]
    kind = _kind(field)
    if not found or (
        kind and (name, max(found)) in (("ge", 0), ("le", LONGEST_S))
    ):  # what bounds every duration and size
        return ""
    return f"{words} {_scaled(float(max(found)), _UNITS[kind]) if kind else _number(max(found))}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _parts(annotation: Any) -> list[Any]:
    """The annotation and, of unions and annotated ones, what they are made of."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [part for each in typing.get_args(annotation) for part in _parts(each)]
    if typing.get_origin(annotation) is typing.Annotated:
        return _parts(typing.get_args(annotation)[0])
    return [annotation]


def _words(annotation: Any) -> str:
    parts = _parts(annotation)
    if len(parts) > 1:
        return " or ".join(_words(part) for part in parts if part is not type(None))
    only, arguments = parts[0], typing.get_args(parts[0])
    origin = typing.get_origin(only)
    if origin is typing.Literal:
        return " or ".join(code(str(each)) for each in arguments)
    if origin in (list, tuple):
        return f"list of {_words(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "keys and values"
    return _PLAIN.get(only) or str(getattr(only, "__name__", only))


def _scaled(value: float, units: tuple[tuple[str, int], ...]) -> str:
    name, size = next(((name, size) for name, size in units if value and value % size == 0), units[-1])
    return f"{value / size:g}{name}"


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_yaml(each) for each in value) + "]"
    if value in ({}, ""):
        return "{}" if value == {} else '""'
    return f"{value:g}" if isinstance(value, float) else str(value)
