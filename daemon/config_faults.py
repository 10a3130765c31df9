"""Faults of adaptd.yaml put into words: one line each, with its place, what is wrong, and what to write.

Apart from `daemon.config` because it only speaks: it never decides what is valid.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from daemon.config_layers import Layers, Where

NOT_IN_THIS_VERSION: frozenset[tuple[str, ...]] = frozenset(
    {
        ("retention",),
        ("watch",),
        ("release", "canary"),
        ("release", "holdback"),
        ("updates", "backend"),
        ("updates", "memory_limit"),
        ("updates", "window"),
        ("engine", "urls"),
        ("engine", "adapter_path"),
    }
)
OFF_VALUES = (False, "off", "none", 0, None)


@dataclass(frozen=True)
class Fault:
    """One thing wrong at one place."""

    where: Where
    what: str

    @classmethod
    def all_of(cls, error: ValidationError, model: type[BaseModel], under: Where = ()) -> list[Fault]:
        """One fault a place: where a value fits none of several forms, the forms stand in one line."""
        found: defaultdict[Where, list[dict[str, Any]]] = defaultdict(list)
        for each in error.errors():
            found[_keys(each["loc"], model)].append(dict(each))
        return [cls((*under, *where), _words(each, model)) for where, each in found.items()]


def not_in_this_version(raw: dict[str, Any]) -> list[Fault]:
    """Keys that the design names and this version does not have yet, unless they are given as off; takes them out."""
    found = []
    for path in sorted(NOT_IN_THIS_VERSION):
        for place, value in _values_at(raw, path):
            if value not in OFF_VALUES:
                found.append(Fault(place, "not in this version; take the key out (the CHANGELOG says what came when)"))
            _drop(raw, place)
    return found


def describe(faults: list[Fault], layers: Layers) -> str:
    """Every fault on a line of its own, in the order of the file."""
    lines = []
    for fault in faults:
        line, origin = layers.origin_of(fault.where, fault.what)
        where = ".".join(map(str, fault.where))
        lines.append((line, where, ": ".join(part for part in (origin, where, fault.what) if part)))
    return "\n".join(text for _, _, text in sorted(lines))


def _values_at(raw: dict[str, Any], path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """The key itself, and the same key in the sections of each task."""
    roots: list[tuple[str, ...]] = [()]
    tasks = raw.get("tasks")
    if isinstance(tasks, dict) and len(path) > 1:
        roots += [("tasks", name) for name in tasks]
    found = []
    for root in roots:
        value: Any = raw
        for key in (*root, *path):
            value = value[key] if isinstance(value, dict) and key in value else _ABSENT
        if value is not _ABSENT:
            found.append(((*root, *path), value))
    return found


_ABSENT = object()


def _drop(raw: Any, place: tuple[str, ...]) -> None:
    for key in place[:-1]:
        raw = raw[key]
    del raw[place[-1]]


def _keys(location: Where, model: type[BaseModel]) -> Where:
    """pydantic's location as far as it follows the settings; beyond, it names forms that the value might have had."""
    keys: list[str | int] = []
    current: Any = model
    for key in location:
        if key == "[key]" or not _has_keys(current):
            break
        keys.append(key)
        current = _inner(current, key)
    return tuple(keys)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_keys(annotation: Any) -> bool:
    return _is_model(annotation) or typing.get_origin(annotation) in (list, tuple, dict)


def _inner(current: Any, key: str | int) -> Any:
    """What stands under a key of a model, list or dict; None where that is not known."""
    if _is_model(current):
        field = current.model_fields.get(str(key))
        return _strip_none(field.annotation) if field else None
    return _strip_none(next((each for each in reversed(typing.get_args(current)) if each is not Ellipsis), None))


def _strip_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kept = [part for part in typing.get_args(annotation) if part is not type(None)]
        return kept[0] if len(kept) == 1 else annotation
    return annotation


def _words(found: list[dict[str, Any]], model: type[BaseModel]) -> str:
    first = found[0]
    if first["type"] == "extra_forbidden":
        return _unknown_key(first["loc"], model)
    if first["type"] == "missing":
        return "missing; it has no default"
    value = first["input"]
    said_of = (each["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list") for each in found)
    words = " or ".join(dict.fromkeys(said_of))
    said = isinstance(value, dict | list | BaseModel) or repr(value) in words
    return words if said else f"{words} (it is {value!r:.80})"


def _unknown_key(location: Where, model: type[BaseModel]) -> str:
    current: Any = model
    for key in location[:-1]:
        current = _inner(current, key)
    known = [field.alias or name for name, field in current.model_fields.items()] if _is_model(current) else []
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"unknown key; did you mean `{close[0]}`?"
    return f"unknown key; known here: {', '.join(sorted(known))}" if known else "unknown key"
