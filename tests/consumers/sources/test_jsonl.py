"""What can happen to a file, and what is said of it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from consumers.sources import jsonl
from consumers.sources.jsonl.source import JsonlSource
from tests.consumers.sources.driving import Ledger, Reader, now

A, B, C = b'{"event_id": "a"}', b'{"event_id": "b"}', b'{"event_id": "c"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feedback.jsonl"


@pytest.fixture
def opened() -> Iterator[list[JsonlSource]]:
    sources: list[JsonlSource] = []
    yield sources
    for source in sources:
        source.close()


@pytest.fixture
def reader(path: Path, opened: list[JsonlSource]) -> Any:
    """Opens a reader of the file: `reader(ledger, follow=True)`."""

    def open_reader(ledger: Ledger | None = None, **settings: Any) -> Reader:
        opened.append(jsonl.open(jsonl.Settings(**{"path": path, **settings}), now))
        return Reader(opened[-1], ledger)

    return open_reader


def turns(reader: Reader, count: int = 4) -> None:
    for _ in range(count):
        reader.turn(0)


def test_a_missing_file_is_degraded_and_read_once_it_is_there(path: Path, reader: Any) -> None:
    waiting = reader()
    turns(waiting)
    assert waiting.source.health().state == "degraded"
    assert f"there is no file {path}" in waiting.source.health().reason
    path.write_bytes(A + b"\n")
    assert waiting.read(1) == [A]


def test_a_file_that_is_not_followed_finishes_and_stays_finished(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n" + B)
    whole = reader()
    turns(whole)
    assert whole.ledger.texts == [A, B], "a last line without its newline counts at the end"
    assert whole.turn(0).finished
    assert whole.source.health().state == "finished"
    assert whole.source.lag() == 0


def test_an_empty_file_finishes_without_a_stream(path: Path, reader: Any) -> None:
    path.write_bytes(b"")
    empty = reader()
    assert empty.turn(0).finished
    assert empty.ledger.positions == {}


def test_a_followed_line_waits_for_its_newline(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n" + B[:5])
    following = reader(follow=True)
    turns(following)
    assert following.ledger.texts == [A]
    with path.open("ab") as file:
        file.write(B[5:] + b"\n")
    assert following.read(2) == [A, B]


def test_the_first_line_must_be_whole_before_a_followed_file_is_a_stream(path: Path, reader: Any) -> None:
    path.write_bytes(A[:5])
    following = reader(follow=True)
    turns(following)
    assert following.ledger.positions == {}
    with path.open("ab") as file:
        file.write(A[5:] + b"\n")
    assert following.read(1) == [A]


def test_a_file_keeps_its_identity_while_it_grows_and_when_it_is_copied(
    path: Path, reader: Any, tmp_path: Path
) -> None:
    path.write_bytes(A + b"\n")
    first = reader()
    turns(first)
    with path.open("ab") as file:
        file.write(B + b"\n")
    copy = tmp_path / "copy.jsonl.gz"
    copy.write_bytes(gzip.compress(path.read_bytes()))
    again = reader(first.ledger, path=copy)
    turns(again)
    assert again.ledger.texts == [A, B], "the copy goes on where the file was, compressed or not"
    assert len(again.ledger.positions) == 1


def test_positions_are_byte_offsets_and_blank_lines_are_passed_over(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\r\n\n" + '{"é": 1}'.encode() + b"\n")
    whole = reader()
    turns(whole)
    assert [(raw.position, raw.data) for _, raw in whole.ledger.records] == [
        (0, A),
        (len(A) + 3, '{"é": 1}'.encode()),
    ]
    assert list(whole.ledger.positions.values()) == [path.stat().st_size]


def test_a_rotated_file_is_read_to_its_end_before_the_new_one(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n")
    following = reader(follow=True)
    turns(following)
    with path.open("ab") as file:
        file.write(B)  # never finished
    path.rename(path.with_suffix(".1"))
    path.write_bytes(C + b"\n")
    polls = [following.turn(0) for _ in range(6)]
    assert following.ledger.texts == [A, B, C]
    assert [len(poll.lost) for poll in polls if poll.lost] == [1]
    assert "rotated" in following.source.health().reason
    assert len(following.ledger.positions) == 2


def test_a_new_file_in_the_place_of_one_read_from_latest_begins_at_its_start(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n")
    following = reader(follow=True, start="latest")
    turns(following)
    path.unlink()
    path.write_bytes(B + b"\n")
    turns(following, 6)
    assert following.ledger.texts == [B]


def test_a_truncated_file_that_begins_anew_is_another_stream(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n" + B + b"\n")
    following = reader(follow=True)
    turns(following)
    path.write_bytes(C + b"\n")
    turns(following, 6)
    assert following.ledger.texts == [A, B, C]
    assert "truncated" in following.source.health().reason


def test_a_file_shorter_than_what_was_read_is_stopped_and_said_so(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n" + B + b"\n")
    following = reader(follow=True)
    turns(following)
    path.write_bytes(A + b"\n")
    turns(following)
    assert following.source.health().state == "degraded"
    assert "shorter than what was read" in following.source.health().reason
    later = reader(following.ledger)
    turns(later)
    assert later.source.health().state == "degraded", "a restart sees it too"


def test_another_file_with_the_same_first_line_is_not_taken_for_the_old_one(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n" + B + b"\n")
    first = reader()
    turns(first)
    path.write_bytes(A + b"\n" + b'{"event_id": "something longer"}\n' + C + b"\n")
    again = reader(first.ledger)
    turns(again)
    assert again.source.health().state == "degraded"
    assert again.ledger.texts == [A, B]


def test_a_line_too_long_is_handed_over_cut_and_the_next_one_is_whole(path: Path, reader: Any) -> None:
    path.write_bytes(A + b"\n" + b"x" * 300_000 + b"\n" + B + b"\n")
    whole = reader(max_line=1000)
    turns(whole)
    assert [len(text) for text in whole.ledger.texts] == [len(A), 1000, len(B)]


def test_a_broken_archive_gives_what_is_whole_and_says_where_it_ends(path: Path, reader: Any) -> None:
    many = b"".join(b'{"n": %d, "x": "%s"}\n' % (n, bytes(str(n * 7919 % 10007), "ascii")) for n in range(50_000))
    broken = path.with_suffix(".jsonl.gz")
    broken.write_bytes(gzip.compress(many)[:-20_000])
    cut = reader(path=broken)
    turns(cut, 40)
    assert 10_000 < len(cut.ledger.texts) < 50_000
    assert cut.ledger.texts == many.splitlines()[: len(cut.ledger.texts)]
    assert cut.source.health().state == "degraded"
    assert "cannot be decompressed" in cut.source.health().reason


def test_what_is_no_archive_is_said_so(path: Path, reader: Any) -> None:
    wrong = path.with_suffix(".jsonl.gz")
    wrong.write_bytes(A + b"\n")
    broken = reader(path=wrong)
    turns(broken)
    assert broken.source.health().state == "degraded"


def test_an_archive_cannot_be_followed() -> None:
    with pytest.raises(ValidationError, match=r"does not work on a \.gz file"):
        jsonl.Settings(path=Path("a.jsonl.gz"), follow=True)


def test_the_real_streams_are_read_whole(reader: Any) -> None:
    streams = Path(__file__).parents[2] / "data" / "streams"
    for name, count in (("smoke", 500), ("ukp_preference", 12_693)):
        whole = reader(path=streams / f"{name}.jsonl.gz")
        turns(whole, 40)
        assert len(whole.ledger.texts) == count
        assert whole.source.health().state == "finished"
