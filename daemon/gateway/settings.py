"""What an operator may set of the gateway."""

from __future__ import annotations

from typing import Literal

from storage.records.settings import DurationS, Settings, SizeBytes, setting


class GatewaySettings(Settings):
    """The `gateway:` section. Every bound answers with 413 or 503, never by waiting for ever."""

    enabled: bool = setting(False, doc="whether the daemon starts a gateway", live=False)
    host: str = setting("127.0.0.1", doc="address to listen on; it asks for no key, so keep it private", live=False)
    port: int = setting(8713, doc="port to listen on, 0 for any", unit="port", ge=0, le=65535, live=False)
    record: Literal["background", "sync"] = setting(
        "background", doc="whether an answer waits until its interaction is stored (sync) or not", live=False
    )
    timeout: DurationS = setting(120.0, doc="longest time that a request may take", live=False, gt=0)
    max_in_flight: int = setting(
        256, doc="requests answered at once; more are asked to come again", unit="requests", ge=1, live=False
    )
    max_body_bytes: SizeBytes = setting(2**20, doc="bytes of one request", live=False, ge=128)
    record_queue: int = setting(
        10_000, doc="interactions that may wait to be recorded", unit="interactions", ge=1, live=False
    )
    record_queue_bytes: SizeBytes = setting(64 * 2**20, doc="bytes that may wait to be recorded", live=False, ge=1024)
