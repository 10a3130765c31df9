"""Recorded events sent again: what goes out, in which pieces, and what odd lines become."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.actions import replay as replaying
from daemon.actions.context import Context
from daemon.actions.replay import ReplayReport, Times, count, newest, replay, to_http, to_store
from daemon.errors import Denied, Unreachable, UsageError
from storage.artifacts import Artifacts
from tests.daemon.daemons import app_in_thread, free_port, url_of, write_yaml
from tests.daemon.desk import Desk, wire

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ODD = [
    b"nonsense",
    b"[1, 2]",
    b'"text"',
    b'{"occurred_at": "yesterday"}',
    b'{"a": "\\ud800"}',
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def write(file: Path, lines: Sequence[bytes]) -> Path:
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


def sent(
    files: Sequence[Path], *, task: str | None = None, times: Times = "original", speed: float | None = None
) -> list[list[bytes]]:
    pieces: list[list[bytes]] = []
    report = replay(
        files, lambda events, _report: pieces.append(list(events)), task=task, times=times, speed=speed, now=NOW
    )
    assert report.sent == sum(map(len, pieces))
    return pieces


def test_lines_go_out_as_they_are(file: Path) -> None:
    assert sent([write(file, [b'{"b":  1}', *ODD])]) == [[b'{"b":  1}', *ODD]]


def test_a_compressed_file_is_told_by_its_bytes(file: Path) -> None:
    file.write_bytes(gzip.compress(b'{"a": 1}\n\n{"b": 2}\n', mtime=0))
    assert sent([file]) == [[b'{"a": 1}', b'{"b": 2}']]
    assert count([file, file]) == 4


def test_a_task_is_put_where_none_is_named(file: Path) -> None:
    write(file, [b'{"a": 1}', b'{"task": "own"}', b'{"task": null}', *ODD])
    (events,) = sent([file], task="erd")
    assert [json.loads(each)["task"] for each in events[:3]] == ["erd", "own", "erd"]
    assert events[3:6] == ODD[:3]
    assert json.loads(events[7]) == {"a": "\ud800", "task": "erd"}


def test_shifted_times_end_now_and_keep_their_distances(file: Path) -> None:
    times = ["2016-01-01T10:00:00Z", "2016-01-01T12:00:00+00:00", "2016-01-01T09:00:00Z", "2016-01-01T09:00:00", "soon"]
    write(file, [*(json.dumps({"occurred_at": time}).encode() for time in times), *ODD])
    (events,) = sent([file], times="shift-to-now")
    shifted = [json.loads(each)["occurred_at"] for each in events[:5]]
    assert shifted == [
        "2026-11-01T10:00:00+00:00",
        "2026-11-01T12:00:00+00:00",
        "2026-11-01T09:00:00+00:00",
        *times[3:],
    ]
    assert len(events) == 5 + len(ODD)


def test_times_cannot_be_shifted_where_there_are_none(file: Path) -> None:
    with pytest.raises(UsageError, match="no event in these files has a readable occurred_at"):
        newest([write(file, ODD)])


def test_pieces_are_bounded_in_number_and_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(piece) for piece in sent([write(file, [b"{}"] * 1200)])] == [500, 500, 200]
    monkeypatch.setattr(replaying, "CHUNK_BYTES", 1000)
    assert [len(piece) for piece in sent([write(file, [b"x" * 400] * 7)])] == [3, 3, 1]


def test_a_pace_sends_one_at_a_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("daemon.actions.replay.time.sleep", slept.append)
    times = ["10:00:00", "10:00:30", "10:00:10", "10:01:10"]
    write(file, [json.dumps({"occurred_at": f"2016-01-01T{time}Z"}).encode() for time in times])
    assert [len(piece) for piece in sent([file], speed=60)] == [1, 1, 1, 1]
    assert slept == [0.5, 0.0, 1.0]


@pytest.mark.parametrize("content", [None, b"\x1f\x8b\x08\x00nonsense", gzip.compress(b"x" * 99, mtime=0)[:-9]])
def test_a_file_that_cannot_be_read_is_said(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"events\.jsonl: (there is no such file|cannot be read)"):
        count([file])


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        count([tmp_path])


def test_straight_into_the_store(desk: Desk, file: Path, tmp_path: Path) -> None:
    context = Context(desk.store, Artifacts(tmp_path), lambda: desk.config)
    lines = [json.dumps(wire("a", task=None)).encode(), b"nonsense"]
    report = replay([write(file, lines)], to_store(context, "erd"), task=None, times="original", speed=None, now=NOW)
    assert (report.sent, report.stored, report.dead_letters, len(report.reasons)) == (2, 1, 1, 1)
    assert desk.event_ids() == {"a"}


def test_over_http_what_is_too_large_is_refused_and_the_rest_arrives(tmp_path: Path, file: Path) -> None:
    config = write_yaml(tmp_path, {"api": {"max_body": "64KiB"}})
    lines = [json.dumps(wire(f"e{n}", response="x" * 20_000)).encode() for n in range(9)]
    lines.insert(4, json.dumps(wire("huge", response="x" * 70_000)).encode())
    with app_in_thread(config) as (_, client), to_http(url_of(config)) as receiver:
        report = replay([write(file, lines)], receiver, task=None, times="original", speed=None, now=NOW)
        assert report == ReplayReport(sent=10, stored=9, refused=1)
        assert client.get("/v1/status").json()["events"]["stored"] == 9


def test_without_a_daemon_it_ends_before_it_begins() -> None:
    with pytest.raises(Unreachable, match="no daemon answers at"), to_http(f"http://127.0.0.1:{free_port()}"):
        pass


def test_a_daemon_that_takes_nothing_over_http_says_so(tmp_path: Path) -> None:
    config = write_yaml(tmp_path, {"sources": []})
    with app_in_thread(config), to_http(url_of(config)) as receiver, pytest.raises(Denied, match="takes no events"):
        receiver([b"{}"], ReplayReport())
