"""What a request to `POST /v1/events` holds: one event, an array of them, or one a line, cut apart but not read.

The pieces are the very bytes that were sent, so that an event is the same by every door, and one that cannot be read
(NaN, a lone surrogate, brackets without end) spoils no other. Also CloudEvents over HTTP: one by content type or by
`ce-` headers, or a batch of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from daemon.errors import TooLarge, UsageError

MOST_EVENTS = 5000

_BOM = b"\xef\xbb\xbf"
_CLOUDEVENT = "application/cloudevents"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
# Strings whole (an unfinished one to the end, without going back), and what opens, closes and parts.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True)
class Sent:
    """The events of one request, and the headers that belong to each (of a CloudEvent; else none)."""

    events: list[bytes]
    headers: Mapping[str, bytes] = field(default_factory=dict)


def read_body(body: bytes, headers: Mapping[str, str]) -> Sent:
    """`headers` by lower-case name. Raises UsageError for a body without events, TooLarge for one with too many."""
    kind = headers.get("content-type", "").lower()
    text = body.removeprefix(_BOM).strip()
    one_only = kind.startswith(_CLOUDEVENT) and not kind.startswith(f"{_CLOUDEVENT}-batch")
    if one_only or "ce-specversion" in headers:
        named = {name: value for name, value in headers.items() if name == "content-type" or name.startswith("ce-")}
        return Sent([text], {name: value.encode("latin-1") for name, value in named.items()})
    events = lines(text) if kind.startswith(_LINES) else split(text)
    if not events:
        raise UsageError("the request has no event in it; send one JSON object, an array of them, or one a line")
    if len(events) > MOST_EVENTS:
        raise TooLarge(f"{len(events)} events in one request; send at most {MOST_EVENTS}")
    return Sent(events)


def split(text: bytes) -> list[bytes]:
    """By the look of it. What cannot be cut apart stays whole, and will be a dead letter."""
    if text.startswith(b"[") and (items := array_items(text)) is not None:
        return items
    if text.startswith(b"{") and _is_one(text):
        return [text]
    return lines(text)


def lines(text: bytes) -> list[bytes]:
    """One event a line; blank lines are none."""
    return [line for line in map(bytes.strip, text.split(b"\n")) if line]


def array_items(text: bytes) -> list[bytes] | None:
    """The items of the array that `text` is, as they were written; None when it is not exactly one array."""
    commas = []
    for token, depth in _tokens(text):
        if token[0] == b"," and depth == 1:
            commas.append(token.start())
        if not depth:
            if token[0] != b"]" or token.end() != len(text):
                return None
            starts, ends = [1, *(at + 1 for at in commas)], [*commas, token.start()]
            items = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
            return [] if items == [b""] else items
    return None


def _is_one(text: bytes) -> bool:
    """Whether the bracket that opens the text is closed at its end: one object, however many lines it takes."""
    return next((token.end() == len(text) for token, depth in _tokens(text) if not depth), False)


def _tokens(text: bytes) -> Iterator[tuple[re.Match[bytes], int]]:
    """Each token with the depth of brackets after it; kinds of brackets are not told apart."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in (b"[", b"{"):
            depth += 1
        elif token[0] in (b"]", b"}"):
            depth -= 1
        yield token, depth
