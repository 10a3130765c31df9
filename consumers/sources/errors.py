"""What can go wrong with a source on purpose. A broker that is away is not an error but a state (`SourceHealth`)."""

from __future__ import annotations

from storage.records.errors import AdaptdError


class SourceError(AdaptdError):
    """Something about a source that a person or the intake must act on."""


class SourceMisconfigured(SourceError):
    """A setting that cannot work, found when the source is opened; the text names the setting and what to write."""


class SourceUnavailable(SourceError):
    """A question that the source could not answer now. The stream stays unclaimed and is offered at the next poll."""
