"""`POST /v1/events`: one event or many, answered after the commit, so that sending again is always safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from consumers.sources import SourceSettings
from daemon.actions.context import Context
from daemon.errors import Denied
from daemon.intake import Parcel
from storage.records import Raw


class DeadLetterReport(BaseModel):
    index: int
    reason: str


class EmitReport(BaseModel):
    """What became of each event of the request."""

    stored: int
    duplicates: int
    dead_letters: list[DeadLetterReport]


def emit_events(context: Context, events: Sequence[bytes], headers: Mapping[str, bytes]) -> EmitReport:
    """Raises Denied where no `http` source is configured, StoreBusy when nothing could be made durable."""
    if context.live is None:
        raise Denied("events can only be sent to a running daemon; start one with `adaptd run`")
    door = _door(context)
    now = context.clock()
    raws = tuple(Raw(data=data, position=index, received_at=now, headers=headers) for index, data in enumerate(events))
    parcel = Parcel(
        source=door.name, loose=raws, default_task=door.default_task, trusted_apps=frozenset(door.trusted_apps)
    )
    outcome = context.live.ingest(parcel)
    letters = [DeadLetterReport(index=index, reason=reason) for index, reason in outcome.dead_letters]
    return EmitReport(stored=outcome.stored, duplicates=outcome.duplicates, dead_letters=letters)


def refuse(context: Context) -> None:
    """Count a request that is turned away whole."""
    if context.live is not None:
        context.live.refused(_door(context).name)


def _door(context: Context) -> SourceSettings:
    for source in context.config().sources:
        if source.type == "http":
            return source
    raise Denied("this daemon takes no events over HTTP; add `- {type: http}` to `sources:` and start it again")
