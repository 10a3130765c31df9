"""The canonical chat: system, tools and turns kept, one text a turn."""

from __future__ import annotations

from collections.abc import Sequence

from consumers.events import WireMessage
from storage.records import Message


def canonical_messages(prompt: str | None, messages: Sequence[WireMessage] | None) -> tuple[Message, ...]:
    """A `prompt` as one user message, or the chat itself; empty when neither was given."""
    if messages is None:
        return () if prompt is None else (Message("user", prompt),)
    return tuple(_canonical(message) for message in messages)


def _canonical(message: WireMessage) -> Message:
    return Message(
        role="system" if message.role == "developer" else message.role,
        content=_content(message),
        name=message.name,
        tool_calls=tuple(message.tool_calls or ()),
        tool_call_id=message.tool_call_id,
    )


def _content(message: WireMessage) -> str:
    if isinstance(message.content, list):
        return "".join(part.text for part in message.content)
    return message.content or ""


def last_asked(messages: Sequence[Message]) -> str:
    """What the user said last: what validators look at. Empty where nobody did."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")
