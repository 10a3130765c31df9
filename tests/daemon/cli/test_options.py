"""What several commands share: where the daemon is, what its refusals become, exit codes, and printing."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from consumers.sources.errors import SourceMisconfigured
from daemon.actions.status import adaptd_version
from daemon.cli.exit_codes import exit_code_of
from daemon.cli.main import main
from daemon.cli.options import address, ask, out, points
from daemon.cli.status import print_status
from daemon.errors import (
    AdaptdError,
    ConfigError,
    DaemonError,
    Denied,
    NotFound,
    PortInUse,
    TooLarge,
    Unreachable,
    UsageError,
)
from learners.base import BaseMissing
from storage.errors import StoreLocked
from tests.daemon.daemons import write_yaml
from tests.daemon.desk import as_bytes, wire


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DaemonError("x"), 1),
        (UsageError("x"), 2),
        (NotFound("x"), 2),
        (TooLarge("x"), 2),
        (ConfigError("x"), 3),
        (PortInUse("x"), 3),
        (BaseMissing("x"), 3),
        (SourceMisconfigured("x"), 3),
        (Unreachable("x"), 4),
        (StoreLocked("x"), 5),
        (Denied("x"), 6),
    ],
)
def test_every_error_has_its_exit_code(error: AdaptdError, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8712"),
        ("0.0.0.0", "http://127.0.0.1:8712"),
        ("'::'", "http://[::1]:8712"),
        ("adaptd.internal", "http://adaptd.internal:8712"),
    ],
)
def test_the_daemon_is_asked_where_it_listens(tmp_path: Path, host: str, url: str) -> None:
    config = tmp_path / "adaptd.yaml"
    config.write_text(f"api: {{host: {host}}}")
    assert address(config) == url
    assert address(tmp_path / "none.yaml") == "http://127.0.0.1:8712"


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """Something that answers with what it is told to."""
    told: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body = told[0]
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,)).start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("code", "error"),
    [(400, UsageError), (403, Denied), (404, NotFound), (422, UsageError), (503, Unreachable), (500, DaemonError)],
)
def test_a_refusal_keeps_the_daemons_words(
    stranger: tuple[str, list[tuple[int, bytes]]], code: int, error: type[DaemonError]
) -> None:
    url, told = stranger
    told.append((code, b'{"error": "such and such"}'))
    with pytest.raises(DaemonError, match="such and such") as caught:
        ask(Path("none.yaml"), url, "GET", "/v1/status", lambda _context: None)
    assert type(caught.value) is error


@pytest.mark.parametrize("answer", [(200, b"<html>"), (404, b"<html>"), (404, b'{"detail": "x"}'), (500, b"[]")])
def test_another_programs_answer_is_not_taken_for_adaptds(
    stranger: tuple[str, list[tuple[int, bytes]]], answer: tuple[int, bytes]
) -> None:
    url, told = stranger
    told.append(answer)
    with pytest.raises(Unreachable, match="is not adaptd; name the daemon's address with --url"):
        ask(Path("none.yaml"), url, "GET", "/v1/status", lambda _context: None)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nowhere", "http://[::1", "ftp://x"])
def test_an_address_where_nobody_answers_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable, match="no daemon answers at"):
        ask(Path("none.yaml"), url, "GET", "/v1/status", lambda _context: None)


def test_scores_are_shown_in_points() -> None:
    assert (points(0.9371), points(0), points(None)) == ("93.7", "0.0", "-")


def test_reasons_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a reason are no markup."""
    reason = "[Errno 2] [/no] such [bold]thing"
    counts = {"open": 0, "learned": 4, "withdrawn": 0}
    updates = {"running": None, "totals": {"promoted": 2}, "last_failure": reason}
    task: dict[str, Any] = {
        "champion": None,
        "batch": {"reason": reason},
        "updates": updates,
        "examples": counts,
        "failures": [],
    }
    task["trend"] = {"scores": {"p": None}, "rewards": {"p": None}}
    found = {
        "version": "1",
        "ready": False,
        "not_ready": [reason],
        "roles": ["api"],
        "config": {"last_reload": reason, "needs_restart": []},
        "events": {"stored": 3},
        "sources": [{"name": "kafka", "state": "degraded", "lag": 7, "reason": reason}],
        "services": {"engine": reason},
        "tasks": {"erd": task},
    }
    with out.capture() as captured:
        print_status(found)
    assert captured.get().replace("\n", " ").count(reason) == 6
    assert "0 open, 4 learned  " in captured.get()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """One command in this process, through the door that turns errors into codes; its exit code."""
    monkeypatch.setattr("sys.argv", ["adaptd", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_version_is_printed_without_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"adaptd {adaptd_version()}\n"


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
@pytest.mark.parametrize(("good", "code"), [(0, 2), (1, 0)])
def test_a_replay_of_which_nothing_could_be_read_fails_after_saying_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    good: int,
    code: int,
    form: tuple[str, ...],
) -> None:
    config, events = write_yaml(tmp_path, {}), tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join([b"nonsense", *[as_bytes(wire("e1"))] * good]))
    assert run(monkeypatch, "replay", events, "--to", "store", "-c", config, *form) == code
    said = capsys.readouterr()
    assert "not JSON" in said.out
    assert ("nothing was stored" in said.err) == (code == 2)
