"""How long an update waits for a service."""

from __future__ import annotations

from datetime import timedelta

from daemon.pauses import Pauses
from tests.storage.makers import NOW


def test_each_pause_is_four_times_as_long_as_the_one_before_up_to_sixteen_times() -> None:
    now = [NOW]
    pauses = Pauses(lambda: now[0])
    assert not pauses.waits(1)
    for attempts, pause_s in ((1, 30), (2, 120), (3, 480), (4, 480)):
        pauses.begin(1, attempts)
        now[0] += timedelta(seconds=pause_s - 1)
        assert pauses.waits(1)
        assert not pauses.waits(2), "another update waits for nothing"
        now[0] += timedelta(seconds=1)
        assert not pauses.waits(1)
