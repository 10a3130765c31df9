"""Method `noop`: learns nothing and writes a seeded random adapter of a stated size.

It is there to try everything around a method (jobs, kills, publishing, loading) without the cost of one.
"""

from __future__ import annotations

from learners.methods import Method
from storage.records import Row
from storage.records.settings import DurationS, Settings, SizeBytes, setting


class NoopSettings(Settings):
    """Settings of `updates.noop`."""

    size: SizeBytes = setting("64KiB", doc="About how large the adapter's weights are.", validate_default=True)
    steps: int = setting(1, doc="How many steps it pretends to train.", unit="steps", ge=1)
    step_time: DurationS = setting("0s", doc="How long each of those steps lasts.", validate_default=True)


def takes(_row: Row, _settings: NoopSettings) -> bool:
    """Anything: it looks at none of it."""
    return True


METHOD = Method(name="noop", Settings=NoopSettings, takes=takes, alone=True)
