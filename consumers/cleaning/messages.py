"""The canonical chat: system, tools and turns kept, one text a turn, and the key that tells two prompts apart."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

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


def _normalise(text: str) -> str:
    """Case, white space and the way accents are composed do not make another prompt."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return " ".join(composed.casefold().split())


def prompt_key(messages: Iterable[Message]) -> str:
    """sha256 (64 hex digits) of the normalised prompt: each turn's role and text, casefolded, white space collapsed.

    Two prompts with one key fall into one fold; a train row whose key is a gate prompt's is dropped.
    """
    digest = hashlib.sha256()
    for message in messages:
        digest.update(f"{message.role}\0{_normalise(message.content)}\0".encode())
    return digest.hexdigest()


def last_asked(messages: Sequence[Message]) -> str:
    """What the user said last: what validators look at. Empty where nobody did."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")
