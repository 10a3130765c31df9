"""From a wire event to the canonical one: names, texts, loose fields and times checked, its interaction found, hashed.

One place for all spellings, so that a prompt sent as `prompt` or as `messages`, bare or in a CloudEvent, is the same
event with the same hash.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from storage.records import Body, Event, Message, Preference, Retraction

from .bodies import body_of
from .cleaning import (
    canonical_json,
    canonical_messages,
    check_loose,
    check_name,
    check_no_nul,
    check_text,
    content_hash,
    parse_time,
    self_contained_id,
)
from .errors import Unreadable
from .events import AnyWire, LimitSettings, WireRating, WireRetraction, WireValidation
from .reasons import known_fields
from .signals import signal_of
from .similarity import SimilaritySettings

_SCALED = (WireRating, WireValidation)
_NO_TEXT_JUDGED = frozenset({"preference", "demonstration", "retraction"})


def canonical(
    wire: AnyWire,
    task: str,
    received_at: datetime,
    trusted_apps: frozenset[str],
    limits: LimitSettings,
    similarity: SimilaritySettings,
    size_bytes: int,
) -> Event:
    """The event, with its signal where that can be known from it alone. Raises Unreadable (`clean`).

    `task` is checked already; `size_bytes` spares short messages a check.
    """
    _check_names(wire, limits)
    occurred_at = parse_time(wire.occurred_at, "occurred_at")
    context = {**(wire.model_extra or {}), **(wire.context or {})}  # where both say a key, the context does
    messages = _messages(wire, limits)
    if size_bytes > limits.max_text_chars:
        _check_texts(wire, messages, limits)
    body = body_of(wire, limits)
    interaction_id, self_contained = _interaction_of(wire, task, messages, body)
    sampling = _loose(wire.sampling, "sampling", limits) if wire.sampling else None
    loose = _loose(context, "context", limits) if context else None
    fields: dict[str, Any] = {
        "event_id": wire.event_id,
        "task": task,
        "interaction_id": interaction_id,
        "app": wire.app,
        "user_id": wire.user_id,
        "messages": messages,
        "response": wire.response,
        "model": wire.model,
        "adapter": wire.adapter,
        "finish_reason": wire.finish_reason,
        "propensity": wire.propensity,
        "sampling": sampling,
        "context": loose,
    }
    digest = content_hash(body, fields)
    fields["sampling"], fields["context"] = wire.sampling or {}, context
    return Event(
        **fields,
        content_hash=digest,
        occurred_at=occurred_at,
        received_at=received_at,
        effective_at=occurred_at if occurred_at < received_at else received_at,
        body=body,
        self_contained=self_contained,
        trusted=wire.app is not None and wire.app in trusted_apps,
        signal=signal_of(body, wire.response, similarity),
    )


def check_nul(wire: AnyWire) -> None:
    """Raises Unreadable (`clean`) when any text of the message holds NUL. Slow: ask only where NUL may be.

    It names the field, unless the sender made it up: that may be user text as well.
    """
    for field, value in wire.model_dump(by_alias=True).items():
        known = field in known_fields()
        check_no_nul(value if known else (field, value), field if known else "")


def retraction_key(event_id: str) -> str:
    """The interaction of a retraction that names an event and no interaction: not known until its target is found."""
    return f"retracts:{event_id}"


def count_unknown(wire: AnyWire) -> int:
    """How many fields of the message, at any level, no model knows."""
    count = len(wire.model_extra or ())
    for message in wire.messages or ():
        count += len(message.model_extra or ())
    if isinstance(wire, _SCALED) and wire.scale is not None:
        count += len(wire.scale.model_extra or ())
    if isinstance(wire, WireRetraction):
        count += len(wire.retracts.model_extra or ())
    return count


_NAMES = ("event_id", "interaction_id", "user_id", "app", "model", "adapter", "finish_reason")


def _check_names(wire: AnyWire, limits: LimitSettings) -> None:
    for field in _NAMES:
        value = getattr(wire, field)
        if value is not None:
            check_name(value, field, limits.max_id_chars)


def _loose(value: dict[str, Any], field: str, limits: LimitSettings) -> bytes:
    """A loose field as canonical JSON, within its limits."""
    if len(value) > limits.max_context_bytes:  # no need to write it all down to see that it is too big
        raise Unreadable(f"{field}: {len(value)} fields, more than {limits.max_context_bytes} bytes", "clean")
    check_loose(value, field, 2, limits.max_depth)
    encoded = canonical_json(value)
    if len(encoded) > limits.max_context_bytes:
        raise Unreadable(f"{field}: {len(encoded)} bytes, more than {limits.max_context_bytes}", "clean")
    return encoded


def _messages(wire: AnyWire, limits: LimitSettings) -> tuple[Message, ...]:
    if wire.messages is None:
        if wire.prompt == "":
            raise Unreadable("prompt: empty", "clean")
        return canonical_messages(wire.prompt, None)
    if wire.prompt is not None:
        raise Unreadable("prompt and messages: give one of the two", "clean")
    if not wire.messages:
        raise Unreadable("messages: empty", "clean")
    if len(wire.messages) > limits.max_messages:
        raise Unreadable(f"messages: {len(wire.messages)}, more than {limits.max_messages}", "clean")
    for message in wire.messages:
        check_loose([message.model_extra, message.tool_calls], "messages", 3, limits.max_depth)
        for field, value in (("messages.name", message.name), ("messages.tool_call_id", message.tool_call_id)):
            if value is not None:
                check_name(value, field, limits.max_id_chars)
    return canonical_messages(None, wire.messages)


def _check_texts(wire: AnyWire, messages: tuple[Message, ...], limits: LimitSettings) -> None:
    asked = "messages" if wire.prompt is None else "prompt"
    for message in messages:
        check_text(message.content, asked, limits.max_text_chars)
    check_text(wire.response or "", "response", limits.max_text_chars)


def _interaction_of(wire: AnyWire, task: str, messages: tuple[Message, ...], body: Body) -> tuple[str, bool]:
    """Which interaction the event is about, and whether the event itself carries it. Raises Unreadable."""
    if wire.kind == "interaction" and (not messages or wire.response is None):
        raise Unreadable("interaction: prompt or messages, and response, are needed", "clean")
    if wire.interaction_id is not None:
        return wire.interaction_id, False
    if isinstance(body, Retraction):
        return body.interaction_id or retraction_key(body.event_id or ""), False
    if isinstance(body, Preference) and not messages and body.chosen_interaction_id is not None:
        return body.chosen_interaction_id, False
    return _alone(wire, task, messages, body), True


def _alone(wire: AnyWire, task: str, messages: tuple[Message, ...], body: Body) -> str:
    if not messages:
        raise Unreadable("interaction_id: missing, and no prompt or messages to stand alone", "clean")
    if wire.response is None and wire.kind not in _NO_TEXT_JUDGED:
        raise Unreadable("interaction_id: missing, and no response to stand alone", "clean")
    chosen, rejected = (body.chosen, body.rejected) if isinstance(body, Preference) else (None, None)
    return self_contained_id(task, wire.user_id, messages, wire.response, chosen, rejected)
