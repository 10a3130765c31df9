"""What can go wrong with a source on purpose. A broker that is away is not an error but a state (`SourceHealth`)."""

from __future__ import annotations

from storage.records.errors import AdaptdError


class SourceError(AdaptdError):
    """The root of what a source raises on purpose: a person or the intake must act on it."""


class SourceMisconfigured(SourceError):
    """A setting that cannot work, found when the source is opened; the text names the setting and what to write.

    To do: write what the text says, and start again.

    Shows as: its exit code alone.
    """


class SourceUnavailable(SourceError):
    """A question that the source could not answer now. The stream stays unclaimed and is offered at the next poll.

    To do: nothing at first, it is asked again; where it lasts, see to the broker or file that the text names.

    Shows as: the source's reason in `adaptd status`.
    """
