"""Asking a service over HTTP: one deadline over all of a request, and pauses between attempts."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from learners import over_http
from learners.over_http import NoReply, Reply, ReplyTooLong, post, request, retry_after_s
from tests.learners.slow_service import Manner, slow_service
from tests.learners.validators.score_service import ScoreService

FAR_S = 10.0  # much longer than any deadline here, much shorter than the slow service goes on
ANSWERED = json.dumps({"answer": "fine"}).encode()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr("learners.over_http.sleep", made.append)
    return made


@pytest.mark.parametrize("manner", ["silent", "drips its head", "drips its body"])
def test_a_reply_that_is_slow_in_any_manner_ends_at_the_deadline(manner: Manner) -> None:
    began = time.monotonic()
    with slow_service(manner) as url, pytest.raises(NoReply, match="too slow"):
        request("GET", url, timeout_s=0.2)
    assert 0.2 <= time.monotonic() - began < FAR_S


def test_a_request_that_is_not_taken_ends_at_the_deadline() -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as nobody_reads, pytest.raises(NoReply, match="too slow"):
        url = f"http://127.0.0.1:{nobody_reads.getsockname()[1]}"
        request("POST", url, b"x" * 20_000_000, timeout_s=0.2)
    assert time.monotonic() - began < FAR_S


def test_an_address_that_is_looked_for_too_long_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()

    def look(*_: object, **__: object) -> Any:
        found.wait(FAR_S)
        raise socket.gaierror

    monkeypatch.setattr("socket.getaddrinfo", look)
    began = time.monotonic()
    with pytest.raises(NoReply, match="too slow"):
        request("GET", "http://somewhere.invalid/", timeout_s=0.2)
    found.set()
    assert time.monotonic() - began < FAR_S


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://a..b/"])
def test_who_is_not_there_is_no_reply(url: str) -> None:
    with pytest.raises(NoReply, match="Error"):
        request("GET", url, timeout_s=FAR_S)


def test_a_body_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "MAX_REPLY_BYTES", 10)
    with ScoreService([b" " * 11]) as service, pytest.raises(ReplyTooLong, match="more than 10 bytes"):
        request("POST", service.url, ANSWERED, timeout_s=FAR_S)


def test_a_packed_reply_is_not_unpacked() -> None:
    """A few bytes could unpack to any number, and nobody asked for it."""
    packed = gzip.compress(bytes(100_000))

    class Packing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-encoding", "gzip")
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Packing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found = request("GET", f"http://127.0.0.1:{server.server_port}", timeout_s=FAR_S)
        server.shutdown()
    assert found.body == packed


def test_attempts_end_with_the_last_reply_as_it_is(pauses: list[float]) -> None:
    with ScoreService([503, 500, 429]) as service:
        assert post(service.url, ANSWERED, {}, timeout_s=FAR_S, attempts=3) == Reply(429, b"no")
    assert pauses == [0.2, 0.4]


def test_what_is_wrong_with_the_question_is_not_asked_again(pauses: list[float]) -> None:
    with ScoreService([404]) as service:
        assert post(service.url, ANSWERED, {}, timeout_s=FAR_S, attempts=3).status == 404
        assert len(service.asked) == 1
    assert pauses == []


def test_who_does_not_answer_is_asked_again_after_pauses(pauses: list[float]) -> None:
    with slow_service("silent") as url, pytest.raises(NoReply):
        post(url, b"", {}, timeout_s=0.05, attempts=3)
    assert pauses == [0.2, 0.4]


@pytest.mark.parametrize(("said", "paused_s"), [("7", 7.0), ("3600", 30.0), ("0", 0.2), ("soon", 0.2)])
def test_a_service_may_say_when_to_come_again_within_the_timeout(
    said: str, paused_s: float, pauses: list[float]
) -> None:
    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(429)
            self.send_header("retry-after", said)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found = post(f"http://127.0.0.1:{server.server_port}", b"{}", {}, timeout_s=30.0, attempts=2)
        server.shutdown()
    assert (found.status, found.retry_after) == (429, said)
    assert pauses == [paused_s]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 10:00:30 -0000", 0.0),
        ("", 0.0),
        ("-5", 0.0),
        ("nan", 0.0),
        ("Sat, 21 Nov 99999999999999999999 10:00:00 GMT", 0.0),
    ],
)
def test_a_time_to_come_again_may_be_a_date(said: str, seconds: float) -> None:
    assert retry_after_s(said, datetime(2026, 11, 21, 10, tzinfo=UTC)) == seconds
