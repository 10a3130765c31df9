"""A supervised process is started, noticed when it dies or answers no more, and ended with its group."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from daemon import pulse
from daemon.config import Config
from daemon.engine_service import EngineService
from daemon.supervisor import FIRST_PAUSE_S, Service, ServiceSpec


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    log_path = tmp_path / "service.log"
    spec = ServiceSpec("sleeper", command, lambda _: log_path.read_bytes().endswith(b"up\n"), log_path, 20.0)
    service = Service(spec)
    yield service
    service.stop()


def until_ready(service: Service, now_s: float) -> None:
    deadline = time.monotonic() + 20
    while service.state != "ready" and time.monotonic() < deadline:
        service.tick(now_s)
        time.sleep(0.02)
    assert service.state == "ready"


def until_down(service: Service, now_s: float) -> None:
    deadline = time.monotonic() + 20
    while service.state == "ready" and time.monotonic() < deadline:
        service.tick(now_s)
        time.sleep(0.02)


def test_a_killed_service_is_started_again_after_a_pause(service: Service) -> None:
    until_ready(service, 0.0)
    assert service.pid is not None
    os.kill(service.pid, signal.SIGKILL)
    until_down(service, 1.0)
    assert service.state == "waiting"
    assert "SIGKILL" in service.reason
    service.tick(1.0 + FIRST_PAUSE_S / 2)
    assert service.pid is None, "it must not be started before its pause is over"
    until_ready(service, 1.0 + FIRST_PAUSE_S)
    assert service.restarts == 1


def test_a_service_that_never_answers_is_ended_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    service = Service(ServiceSpec("mute", command, lambda _: False, tmp_path / "log", start_timeout_s=5.0))
    service.tick(0.0)
    service.tick(6.0)
    assert service.state == "waiting"
    assert "did not answer within 5 s" in service.reason
    service.stop()


def test_a_stopped_service_stays_down(service: Service) -> None:
    until_ready(service, 0.0)
    pid = service.pid
    service.stop()
    service.tick(100.0)
    assert service.pid is None
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


SERVER = """
import http.server, sys
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
with open(sys.argv[1], "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineService]:
    """The real service, with a server in the engine's place that answers its probes."""
    engine = EngineService(Config(), tmp_path / "base", tmp_path / "engine")
    command = [sys.executable, "-c", SERVER, str(tmp_path / "engine" / "port")]
    ready = engine.service.spec.ready
    spec = replace(engine.service.spec, command=command, ready=lambda timeout_s: ready(timeout_s / 40))
    engine.service = Service(spec)
    yield engine
    engine.stop()


def asked(service: Service, now_s: float) -> None:
    """Ask it then, and take the answer."""
    service.tick(now_s)
    if service._pulse._asking is not None:
        service._pulse._asking.join(30)
    service.tick(now_s)


def test_a_service_that_stands_still_is_said_to_and_started_again(engine: EngineService) -> None:
    service = engine.service
    until_ready(service, 0.0)
    assert engine.url is not None
    assert httpx.get(f"{engine.url}/health", trust_env=False).is_success
    pid = service.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    for now_s in (10.0, 20.0, 59.0):
        asked(service, now_s)
        assert (service.state, service.reason) == ("ready", f"has not answered for {now_s:.0f} s")
    asked(service, 70.0)
    assert service.state == "waiting"
    assert service.reason.startswith("has not answered for 70 s; its last words are in ")
    assert engine.url is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    until_ready(service, 71.0)
    assert (engine.starts, service.reason) == (1, "")


def test_a_ready_engine_is_known_without_its_port_file(engine: EngineService, tmp_path: Path) -> None:
    until_ready(engine.service, 0.0)
    url = engine.url
    (tmp_path / "engine" / "port").write_text("1")
    asked(engine.service, 10.0)
    (tmp_path / "engine" / "port").unlink()
    asked(engine.service, 20.0)
    assert url is not None
    assert (engine.url, engine.service.reason) == (url, "")


@pytest.mark.parametrize(
    ("answers", "times_s"),
    [
        ([False, False, True] * 4, [10.0 * step for step in range(1, 13)]),  # late, as on a machine that trains
        ([False, False], [1000.0, 2000.0]),  # the daemon itself stood still, as in a laptop that slept
        ([False] * 6, [5.0 + 10.0 * step for step in range(6)]),  # not long enough yet
    ],
)
def test_late_answers_do_not_count(service: Service, answers: list[bool], times_s: list[float]) -> None:
    until_ready(service, 0.0)
    waiting = iter(answers)
    service._pulse = pulse.Pulse(lambda _: next(waiting), 0.0)
    for now_s in times_s:
        asked(service, now_s)
        assert service.state == "ready"
    assert service.restarts == 0
