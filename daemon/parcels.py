"""Parcels that wait together are made durable together: fewer commits, and fewer interactions joined twice.

Only what reads as one poll of the source is put together: of each stream one batch without a gap, under one claim, so
that the claim guards it as it would each part.
"""

from __future__ import annotations

from dataclasses import replace

from daemon.intake import Parcel
from storage.records import Claim, Stream, StreamBatch


def together(first: Parcel, second: Parcel) -> Parcel | None:
    """Both, as if the source had handed them over at once; None where `second` does not go on from `first`."""
    if replace(first, batches=(), loose=()) != replace(second, batches=(), loose=()):
        return None  # another source, or other words about it
    found: dict[Stream, tuple[StreamBatch, Claim]] = {batch.stream: (batch, claim) for batch, claim in first.batches}
    for batch, claim in second.batches:
        held = found.get(batch.stream)
        whole = (batch, claim) if held is None else _joined(held, (batch, claim))
        if whole is None:
            return None
        found[batch.stream] = whole
    return replace(first, batches=tuple(found.values()), loose=first.loose + second.loose)


def _joined(first: tuple[StreamBatch, Claim], second: tuple[StreamBatch, Claim]) -> tuple[StreamBatch, Claim] | None:
    (one, claim), (other, later_claim) = first, second
    if claim != later_claim or one.after != other.before:
        return None
    return StreamBatch(one.stream, one.before, other.after, one.records + other.records), claim
