"""Hashes of content: is this the same event again, and which interaction does feedback without an id stand on.

Both are sha256 over (name, value) pairs joined by NUL, which no text may hold, so that two different lists of pairs
never run together. What was not given is left out: neither the order of keys on the wire nor a field that a later
version adds changes the hash of an event that was stored before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from storage.records import Body, Message

_NESTED = (dict, list, tuple)


def canonical_json(value: Any) -> bytes:
    """Plain JSON data as compact bytes, object keys sorted at every level. Check the depth before: it recurses."""
    return to_json(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(item) if isinstance(item, _NESTED) else item for key, item in sorted(value.items())}
    if isinstance(value, _NESTED):
        return [_sorted(item) for item in value]
    return value


def content_hash(body: Body, fields: Mapping[str, Any]) -> str:
    """64 hex digits over `body` and the other fields of an event, without its times: they are not content.

    `fields` maps field names of `Event` to their values, `messages` among them; a value of bytes is JSON already.
    """
    parts: list[str] = []
    _add(parts, fields)
    for name in body.__slots__:
        _add_one(parts, name, getattr(body, name))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def self_contained_id(
    task: str,
    user_id: str | None,
    messages: Sequence[Message],
    response: str | None,
    chosen: str | None = None,
    rejected: str | None = None,
) -> str:
    """64 hex digits that name the interaction of feedback which carries what it judges instead of an id.

    One user's rating and correction of one response meet in one example; two users' never do.
    """
    parts: list[str] = []
    fields = {"task": task, "user_id": user_id, "messages": messages, "response": response}
    _add(parts, {**fields, "chosen": chosen, "rejected": rejected})
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _add(parts: list[str], fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if value is not None:
            _add_one(parts, name, value)


def _add_one(parts: list[str], name: str, value: Any) -> None:
    """Name and value of a field that was given; messages one after another, each begun by its role."""
    if value.__class__ is str:
        parts += (name, value)
    elif value is None or value == () or value == {}:
        return
    elif name == "messages":
        for message in value:
            _add_message(parts, message)
    else:
        parts += (name, _text(value))


def _add_message(parts: list[str], message: Message) -> None:
    parts += ("role", message.role, "content", message.content)
    if message.name is not None or message.tool_calls or message.tool_call_id is not None:
        _add(parts, {"name": message.name, "tool_calls": message.tool_calls, "tool_call_id": message.tool_call_id})


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return repr(value) if isinstance(value, int | float) else canonical_json(value).decode()
