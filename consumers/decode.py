"""Bytes to events: JSON, bare or in a CloudEvent, checked and made canonical; what cannot be is a dead letter.

Pure: the caller gives the time of receipt and the source's settings. An event gets its signal (`consumers.signals`)
where it is made, since a copy of it would cost as much as making it; the store's part (duplicates, conflicts) is
`daemon.intake`. Only Unreadable is raised, whatever the bytes; in a batch not even that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from pydantic_core import from_json

from storage.records import DeadLetter, Event, Raw

from .canonical import canonical, check_nul, count_unknown
from .cleaning import check_task
from .cloudevents import envelope_of, is_structured, looks_structured, open_binary, open_structured
from .errors import Unreadable
from .events import AnyWire, LimitSettings, wire
from .excerpts import excerpt
from .reasons import reason_of, why_not_json
from .similarity import SimilaritySettings

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Decoded:
    """An event, and how many of its fields were not known (they are in its `context` now)."""

    event: Event
    unknown_fields: int


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """One outcome for each raw record, in their order."""

    outcomes: tuple[Event | DeadLetter, ...]
    unknown_fields: int


def decode_batch(
    raws: Sequence[Raw],
    *,
    default_task: str | None = None,
    trusted_apps: frozenset[str] = frozenset(),
    limits: LimitSettings | None = None,
    similarity: SimilaritySettings | None = None,
    source: str | None = None,
    stream: str | None = None,
) -> DecodedBatch:
    """Decodes each record; a bad one becomes a dead letter and never stops a good one. `stream` is `Stream.key`.

    Raises MemoryError alone.
    """
    bounds, scoring = limits or LimitSettings(), similarity or SimilaritySettings()
    outcomes: list[Event | DeadLetter] = []
    unknown_fields = 0
    for raw in raws:
        try:
            done = decode(
                raw.data,
                raw.headers,
                received_at=raw.received_at,
                default_task=default_task,
                trusted_apps=trusted_apps,
                limits=bounds,
                similarity=scoring,
            )
        except Unreadable as error:
            outcomes.append(dead_letter(raw, error, source=source, stream=stream))
        except MemoryError:
            raise  # says nothing about this message
        except Exception as error:  # a fault of ours: kept as a pointer, or this record would stop its stream for good
            fault = Unreadable(f"adaptd failed on it, {type(error).__name__}; please report this")
            outcomes.append(dead_letter(raw, fault, source=source, stream=stream))
        else:
            outcomes.append(done.event)
            unknown_fields += done.unknown_fields
    return DecodedBatch(tuple(outcomes), unknown_fields)


def dead_letter(raw: Raw, error: Unreadable, *, source: str | None = None, stream: str | None = None) -> DeadLetter:
    """A pointer to a record that could not be read. `position` is given for streams alone."""
    return DeadLetter(
        reason=error.reason,
        stage=error.stage,
        received_at=raw.received_at,
        sha256=hashlib.sha256(raw.data).hexdigest(),
        size_bytes=len(raw.data),
        stream=stream,
        position=None if stream is None else raw.position,
        source=source,
        task=error.task,
        excerpt=excerpt(raw.data),
    )


def decode(
    data: bytes,
    headers: Mapping[str, bytes],
    *,
    received_at: datetime,
    default_task: str | None = None,
    trusted_apps: frozenset[str] = frozenset(),
    limits: LimitSettings | None = None,
    similarity: SimilaritySettings | None = None,
) -> Decoded:
    """One event from one message. Raises Unreadable with the reason, and nothing else, for any bytes and headers.

    `received_at` is aware; `default_task` is the task of messages that name none.
    """
    bounds = limits or LimitSettings()
    if len(data) > bounds.max_bytes:
        raise Unreadable(f"{len(data)} bytes, more than {bounds.max_bytes}")
    body = data.removeprefix(_BOM)
    try:
        found = _read(body, headers, bounds)
    except Unreadable as error:
        raise Unreadable(error.reason, error.stage, _claimed_task(body, default_task, bounds)) from None
    task = found.task if found.task is not None else default_task
    if task is None:
        raise Unreadable("task: missing, and the source has no default_task", "clean")
    check_task(task, bounds.max_id_chars)
    try:
        event = canonical(found, task, received_at, trusted_apps, bounds, similarity or SimilaritySettings(), len(data))
        if b"\\u0000" in data or b"data_base64" in data:  # JSON has no other way to write NUL
            check_nul(found)
    except Unreadable as error:
        raise Unreadable(error.reason, error.stage, task) from None
    return Decoded(event, count_unknown(found))


def _claimed_task(data: bytes, default_task: str | None, limits: LimitSettings) -> str | None:
    """The task that a message of the wrong shape names, for its dead letter; None where that cannot be told."""
    try:
        message = from_json(data)
        named = message.get("task", default_task) if isinstance(message, dict) else default_task
        if isinstance(named, str):
            check_task(named, limits.max_id_chars)
            return named
    except (ValueError, Unreadable):
        pass
    return None


def _read(data: bytes, headers: Mapping[str, bytes], limits: LimitSettings) -> AnyWire:
    """The wire event. pydantic's parser reads NaN and nests to 200 levels; the former never passes a strict field."""
    try:
        if headers and (envelope := envelope_of(headers)) is not None:
            return wire().validate_python(open_binary(envelope, from_json(data)))
        if headers and is_structured(headers):
            return wire().validate_python(open_structured(from_json(data)))
        return _read_bare(data)
    except ValidationError as error:
        reason = reason_of(error)
        raise Unreadable(why_not_json(data, limits) if reason is None else reason) from None
    except ValueError:
        raise Unreadable(why_not_json(data, limits)) from None


def _read_bare(data: bytes) -> AnyWire:
    try:
        return wire().validate_json(data)
    except ValidationError as error:
        if b'"specversion"' not in data or not looks_structured(message := from_json(data)):
            raise error
        return wire().validate_python(open_structured(message))
