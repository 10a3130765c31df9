"""One contract, held by every kind of source that polls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.sources import Source
from storage.records import Stream
from tests.consumers.sources.driving import Ledger, Reader
from tests.consumers.sources.feeds import ArchiveFeed, Feed, FileFeed, KafkaFeed, MemoryFeed

LINES = [b'{"n": %d, "text": "%s"}' % (n, b"x" * (n % 7)) for n in range(10)]
KINDS = ["memory", "jsonl", "jsonl.gz", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=KINDS)
def feed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Feed]:
    made: Feed
    if request.param == "kafka":
        made = KafkaFeed(request.getfixturevalue("kafka"))
    elif request.param == "memory":
        made = MemoryFeed()
    else:
        made = ArchiveFeed(tmp_path / "a.jsonl.gz") if request.param == "jsonl.gz" else FileFeed(tmp_path / "a.jsonl")
    yield made
    made.close()


def assigned_stream(source: Source) -> Stream:
    for _ in range(100):
        poll = source.poll(0.2)
        if poll.assigned:
            return poll.assigned[0]
    raise TimeoutError(f"nothing was assigned: {source.health()}")


def test_nothing_flows_before_the_claim_and_a_stream_is_offered_until_then(feed: Feed) -> None:
    feed.write(LINES)
    source = feed.open()
    stream = assigned_stream(source)
    polls = [source.poll(0.2) for _ in range(3)]
    assert [poll.assigned for poll in polls] == [(stream,)] * 3
    assert not any(poll.batches for poll in polls)
    source.seek(stream, source.start_of(stream))
    assert Reader(source).source.poll(5).assigned == ()


def test_every_record_comes_once_and_in_order_with_positions_that_join(feed: Feed) -> None:
    feed.write(LINES)
    reader = Reader(feed.open())
    assert reader.read(len(LINES)) == LINES
    assert reader.refused == 0
    positions = [raw.position for _, raw in reader.ledger.records]
    assert positions == sorted(set(positions))
    assert reader.ledger.positions[reader.ledger.records[0][0]] > positions[-1]


def test_a_reader_that_comes_back_goes_on_where_the_store_is(feed: Feed) -> None:
    feed.write(LINES)
    first = Reader(feed.open())
    first.read(len(LINES))
    key, fifth = first.ledger.records[5]
    first.source.close()
    again = Reader(feed.open(), Ledger(positions={key: fifth.position}))
    assert again.read(5) == LINES[5:]
    assert {key for key, _ in again.ledger.records} == {key}, "the stream is the same after a restart"


def test_a_seek_while_flowing_reads_again_from_there(feed: Feed) -> None:
    if not feed.grows:
        pytest.skip("a source that is finished is not sought again")
    feed.write(LINES)
    reader = Reader(feed.open())
    reader.read(len(LINES))
    key, third = reader.ledger.records[3]
    reader.ledger.positions[key] = third.position
    reader.source.seek(Stream(key, ""), third.position)
    assert reader.read(len(LINES) + 7)[len(LINES) :] == LINES[3:]


def test_a_paused_source_hands_over_nothing_and_loses_nothing(feed: Feed) -> None:
    feed.write(LINES)
    reader = Reader(feed.open())
    stream = assigned_stream(reader.source)
    reader.source.pause()
    position, reader.epochs[stream.key] = reader.ledger.claim(stream, lambda: reader.source.start_of(stream))
    reader.source.seek(stream, position)
    assert not any(reader.turn(0.1).batches for _ in range(5))
    assert reader.source.health().state == "paused"
    reader.source.resume()
    assert reader.read(len(LINES)) == LINES


def test_a_stopped_stream_is_silent_and_says_why(feed: Feed) -> None:
    feed.write(LINES)
    source = feed.open()
    stream = assigned_stream(source)
    source.seek(stream, source.start_of(stream))
    source.stop_stream(stream, "the store refuses it")
    assert not any(source.poll(0.1).batches for _ in range(5))
    health = source.health()
    assert health.state == "degraded"
    assert "the store refuses it" in health.reason
    source.seek(stream, 0)
    assert Reader(source, Ledger({stream.key: 0}, {stream.key: 1})).source.health().state == "polling"


def test_streams_it_does_not_hold_are_passed_over(feed: Feed) -> None:
    feed.write(LINES)
    reader = Reader(feed.open())
    reader.read(len(LINES))
    stranger = Stream("somewhere:else", "else")
    reader.source.seek(stranger, 3)
    reader.source.stop_stream(stranger, "no")
    reader.source.committed({stranger: 3})
    assert reader.source.health().state in ("polling", "finished")


def test_latest_begins_after_what_is_there(feed: Feed) -> None:
    feed.write(LINES)
    reader = Reader(feed.open(start="latest"))
    stream = assigned_stream(reader.source)
    position, reader.epochs[stream.key] = reader.ledger.claim(stream, lambda: reader.source.start_of(stream))
    reader.source.seek(stream, position)
    if feed.grows:
        feed.write([b'{"n": "new"}'])
        assert reader.read(1) == [b'{"n": "new"}']
    else:
        assert reader.turn().batches == ()


def test_what_is_written_later_comes_later(feed: Feed) -> None:
    if not feed.grows:
        pytest.skip("an archive does not grow")
    feed.write(LINES)
    reader = Reader(feed.open())
    reader.read(len(LINES))
    feed.write([b'{"n": "late"}'])
    assert reader.read(len(LINES) + 1)[-1] == b'{"n": "late"}'


def test_more_than_one_poll_can_hold_is_read_whole(feed: Feed) -> None:
    many = [b'{"n": %d}' % n for n in range(4500)]
    feed.write(many)
    reader = Reader(feed.open())
    assert reader.read(len(many)) == many
    reader.until(lambda: reader.source.lag() == 0)


def test_closing_twice_is_harmless(feed: Feed) -> None:
    feed.write(LINES)
    source = feed.open()
    source.close()
    source.close()
