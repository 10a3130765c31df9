"""Records to JSON and back, by pydantic, so that store, job files and API spell them the same way."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    found = _adapters.get(kind)
    if found is None:
        found = _adapters[kind] = TypeAdapter(kind)
    return found


def to_json(record: Any) -> bytes:
    """A record as compact JSON bytes; datetimes become RFC 3339."""
    return _adapter(type(record)).serializer.to_json(record)  # as `dump_json` does, without its many defaults


def to_plain(record: Any) -> Any:
    """A record as plain dicts, lists, strings and numbers."""
    return _adapter(type(record)).dump_python(record, mode="json")


def from_json(kind: type[T], data: bytes | str) -> T:
    """The record of that kind; raises pydantic.ValidationError when the JSON is not one."""
    record: T = _adapter(kind).validate_json(data)
    return record


def from_plain(kind: type[T], data: Any) -> T:
    record: T = _adapter(kind).validate_python(data)
    return record
