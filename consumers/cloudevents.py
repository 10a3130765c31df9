"""CloudEvents 1.0 around an event: the structured mode (one JSON object) and the binary mode (headers beside the data).

The envelope fills what the data leaves out: `id` is `event_id`, `time` is `occurred_at`, `source` is `app`, and `type`
is `dev.adaptd.<kind>`. `event_id` and `kind` said twice must agree. Other attributes (subject, traceparent, extensions)
are the transport's and are not kept. Batches of CloudEvents are not taken: one message is one event.
Sources: CloudEvents 1.0.2, its JSON format, and its Kafka (`ce_`) and HTTP (`ce-`, percent-encoded) bindings.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pydantic_core import from_json

from .errors import Unreadable

TYPE_PREFIX = "dev.adaptd."
_STRUCTURED = "application/cloudevents"
_ATTRIBUTES = ("specversion", "id", "source", "type", "time")


def envelope_of(headers: Mapping[str, bytes]) -> Mapping[str, str] | None:
    """The binary mode's attributes from a message's headers; None when it is not in the binary mode.

    Raises Unreadable when a header is not UTF-8.
    """
    try:
        found = {name.lower(): value for name, value in headers.items() if name[:3].lower() in ("ce_", "ce-")}
        if "ce_specversion" in found:
            return {name: found[f"ce_{name}"].decode() for name in _ATTRIBUTES if f"ce_{name}" in found}
        if "ce-specversion" in found:
            texts = {name: found[f"ce-{name}"].decode() for name in _ATTRIBUTES if f"ce-{name}" in found}
            return {name: unquote(text, errors="strict") for name, text in texts.items()}
    except UnicodeDecodeError:
        raise Unreadable("cloudevents: a header that is not UTF-8") from None
    return None


def is_structured(headers: Mapping[str, bytes]) -> bool:
    """Whether the content type says that the whole message is one CloudEvent. Raises Unreadable for a batch of them."""
    for name, value in headers.items():
        if name.lower() == "content-type" and value.lower().startswith(_STRUCTURED.encode()):
            if value.lower().startswith(f"{_STRUCTURED}-batch".encode()):
                raise Unreadable("cloudevents: a batch; send one event a message")
            return True
    return False


def looks_structured(message: object) -> bool:
    """Whether an object that is no bare event is a CloudEvent that came without headers, as in a file."""
    return isinstance(message, dict) and "specversion" in message and "kind" not in message


def open_structured(message: object) -> dict[str, Any]:
    """The bare event inside a structured CloudEvent. Raises Unreadable."""
    if not isinstance(message, dict):
        raise Unreadable("not a JSON object")
    texts = {name: message[name] for name in _ATTRIBUTES if message.get(name) is not None}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise Unreadable(f"cloudevents: {name} is not a text")
    return open_binary(texts, _data_of(message))


def _data_of(message: dict[str, Any]) -> object:
    if "data_base64" not in message:
        return message.get("data")
    try:
        return from_json(b64decode(message["data_base64"], validate=True))
    except (ValueError, TypeError):
        raise Unreadable("cloudevents: data_base64 is not base64 of JSON") from None


def open_binary(envelope: Mapping[str, str], data: object) -> dict[str, Any]:
    """The bare event made of an envelope's attributes and its data. Raises Unreadable."""
    if not envelope.get("specversion", "").startswith("1."):
        raise Unreadable("cloudevents: specversion is not 1.0")
    for name in ("id", "source", "type"):
        if not envelope.get(name):
            raise Unreadable(f"cloudevents: {name} missing")
    if not envelope["type"].startswith(TYPE_PREFIX):
        raise Unreadable(f"cloudevents: type does not begin with {TYPE_PREFIX}")
    if not isinstance(data, dict):
        raise Unreadable("cloudevents: data is not a JSON object")
    return _merge(envelope, data)


def _merge(envelope: Mapping[str, str], data: dict[str, Any]) -> dict[str, Any]:
    event = dict(data)
    for field, said in (("event_id", envelope["id"]), ("kind", envelope["type"][len(TYPE_PREFIX) :])):
        if event.setdefault(field, said) != said:
            raise Unreadable(f"cloudevents: {field} in the data is another one than in the envelope")
    for field, attribute in (("app", "source"), ("occurred_at", "time")):
        if event.get(field) is None and attribute in envelope:
            event[field] = envelope[attribute]
    return event
