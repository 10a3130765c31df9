"""The daemon with an intake that lags behind its polls, so that records are in flight whenever something happens.

It takes each parcel alone: put together, what waits would be in flight in one transaction, and no longer in the queue.

`python -m tests.soak.slow_daemon run ...`; with SOAK_UNSAFE set, without claim and unique keys too.
"""

from __future__ import annotations

import os
import time

import daemon.app
import daemon.intake_loop
from daemon.cli.main import main
from daemon.intake import Intake, Outcome, Parcel
from tests.soak.unsafe_daemon import take_the_guards_off

PAUSE_S = 0.3  # polls of 100 records: faster than they are sent, yet seconds behind after each kill's backlog
UNSAFE = "SOAK_UNSAFE"


class SlowIntake(Intake):
    """Waits before each parcel."""

    def ingest(self, parcel: Parcel) -> Outcome:
        time.sleep(PAUSE_S)
        return super().ingest(parcel)


if __name__ == "__main__":
    setattr(daemon.app, "Intake", SlowIntake)  # noqa: B010
    setattr(daemon.intake_loop, "TOGETHER_RECORDS", 0)  # noqa: B010
    if os.environ.get(UNSAFE):
        take_the_guards_off()
    main()
