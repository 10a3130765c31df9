"""Memory can lose streams and get them back, as a group would deal them."""

from __future__ import annotations

from consumers.sources import memory
from tests.consumers.sources.driving import Ledger, Reader, now


def test_a_stream_that_was_lost_is_silent_and_claimed_anew_when_it_returns() -> None:
    source = memory.open(memory.Settings(streams=2), now)
    reader = Reader(source, Ledger())
    reader.until(lambda: len(reader.epochs) == 2)
    source.put(b"a", stream=1)
    assert reader.read(1) == [b"a"]
    source.lose(1)
    source.put(b"b", stream=1)
    (lost,) = reader.turn(0).lost
    assert reader.turn(0).batches == ()
    assert source.lag() == 0, "what another member holds is not our lag"
    source.assign(1)
    assert reader.read(2) == [b"a", b"b"]
    assert reader.ledger.epochs[lost.key] == 2


def test_it_finishes_once_all_is_read() -> None:
    source = memory.open(memory.Settings(), now)
    source.put(b"a")
    source.finish()
    reader = Reader(source)
    assert not reader.turn(0).finished
    poll = reader.turn(0)
    assert poll.finished
    assert len(poll.batches[0].records) == 1
    assert source.health().state == "finished"
