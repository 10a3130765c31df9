"""Events that come over HTTP, one or many a request: settings only.

The API's `POST /v1/events` takes them in; there is nothing to poll, no stream and no position, and an `event_id` is
the only guard against a repeat. So this kind has no `open`.
"""

from __future__ import annotations

from typing import Literal

from consumers.sources.protocol import SourceSettings
from storage.records.settings import setting


class Settings(SourceSettings):
    """`{type: http}`; without it the API refuses events."""

    type: Literal["http"] = setting("http", doc="Events through POST /v1/events.", live=False)
