"""When two prompts are the same one: folds, leaks, the gate's evidence and the store's counts go by it."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

from storage.records.events import Message


def prompt_key(messages: Iterable[Message]) -> str:
    """sha256 (64 hex digits) of the normalised prompt: each turn's role and text, casefolded, white space collapsed.

    Two prompts with one key fall into one fold, and are one piece of evidence there; a train row whose key is a gate
    prompt's is dropped.
    """
    digest = hashlib.sha256()
    for message in messages:
        digest.update(f"{message.role}\0{_normalise(message.content)}\0".encode())
    return digest.hexdigest()


def _normalise(text: str) -> str:
    """Case, white space and the way accents are composed do not make another prompt."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return " ".join(composed.casefold().split())
