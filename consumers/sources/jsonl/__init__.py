"""Events from a file, one JSON object a line: plain, growing (`follow: true`), or compressed (.gz).

The stream is the file's content, not its name: its identity is a fingerprint of the first line (at most 1 KiB of
it), so a renamed or copied file is the same stream, and is not read twice. Position = uncompressed byte offset of a
line's start.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from consumers.sources.protocol import Clock, SourceSettings
from storage.records.settings import SizeBytes, setting

if TYPE_CHECKING:
    from consumers.sources.jsonl.source import JsonlSource


class Settings(SourceSettings):
    """`{type: jsonl, path: feedback.jsonl, follow: true}`."""

    type: Literal["jsonl"] = setting("jsonl", doc="A file with one event a line.", live=False)
    path: Path = setting(doc="The file; a name that ends in .gz is decompressed.", live=False)
    follow: bool = setting(False, doc="Wait for new lines instead of finishing at the end.", live=False)
    start: Literal["earliest", "latest"] = setting(
        "earliest",
        doc="Where the first file's first claim begins; a file put in its place begins at earliest.",
        live=False,
    )
    max_line: SizeBytes = setting(
        4 * 2**20, doc="Of a longer line only this much is kept in memory; it becomes a dead letter.", live=False, gt=0
    )

    @model_validator(mode="after")
    def _no_growing_archive(self) -> Settings:
        if self.follow and self.path.suffix == ".gz":
            raise ValueError("`follow: true` does not work on a .gz file: read it once, or follow the plain file")
        return self


def open(settings: Settings, clock: Clock) -> JsonlSource:
    """The source; that the file is missing shows in its health, and it is looked for again at every poll."""
    from consumers.sources.jsonl.source import JsonlSource

    return JsonlSource(settings, clock)
