"""Where events come from: one file a kind of source, all behind one protocol.

`source_types()` finds the kinds; `protocol` says in which order a poll thread calls them.
"""

from consumers.sources.discovery import SourceType, source_types
from consumers.sources.errors import SourceError, SourceMisconfigured, SourceUnavailable
from consumers.sources.protocol import Clock, Source, SourceHealth, SourceSettings, SourceState

__all__ = [
    "Clock",
    "Source",
    "SourceError",
    "SourceHealth",
    "SourceMisconfigured",
    "SourceSettings",
    "SourceState",
    "SourceType",
    "SourceUnavailable",
    "source_types",
]
