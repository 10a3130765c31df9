"""A supervised process is started, noticed when it dies, and ended with its group."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.supervisor import FIRST_PAUSE_S, Service, ServiceSpec


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    log_path = tmp_path / "service.log"
    spec = ServiceSpec("sleeper", command, lambda: log_path.read_bytes().endswith(b"up\n"), log_path, 20.0)
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
    service = Service(ServiceSpec("mute", command, lambda: False, tmp_path / "log", start_timeout_s=5.0))
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
