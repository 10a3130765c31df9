"""A real daemon as a child process that is killed and started again, and a look at what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parents[2]
DAEMON, UNSAFE_DAEMON, SLOW_DAEMON = "daemon.cli.main", "tests.soak.unsafe_daemon", "tests.soak.slow_daemon"
PATIENCE_S = 180.0  # how long anything may take on a machine that is busy with something else


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def poll_until(
    true: Callable[[], bool], what: str, detail: Callable[[], str] = lambda: "", patience_s: float = PATIENCE_S
) -> None:
    """Asks until it is so; fails the test, saying what never came."""
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}\n{detail()}")
        time.sleep(0.05)


class Daemon:
    """`adaptd run` over the adaptd.yaml in `folder`, whose API is on `port`; its log is `folder/daemon.log`."""

    def __init__(self, folder: Path, port: int, *, roles: str, module: str = DAEMON) -> None:
        self.folder = folder
        self._command = [sys.executable, "-m", module, "run", "--config", str(folder / "adaptd.yaml"), "--role", roles]
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self.kills = 0

    def start(self) -> None:
        """Returns at once; the daemon may not answer yet."""
        with (self.folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )

    def kill(self) -> list[psutil.Process]:
        """SIGKILL. Returns what had been started by it, directly or not, and was alive a moment before."""
        assert self._process is not None
        assert self._process.poll() is None, f"it ended by itself\n{self.last_words()}"
        started = _offspring(self._process.pid)
        self._process.kill()
        self._process.wait()
        self.kills += 1
        return started

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def send(self, events: list[dict[str, Any]]) -> bool:
        """`POST /v1/events`; False when nobody answered for them, and they should be sent again."""
        try:
            return self._http.post("/v1/events", json=events).is_success
        except httpx.HTTPError:
            return False

    def status(self) -> dict[str, Any] | None:
        """`GET /v1/status`; None while it does not answer."""
        try:
            answer = self._http.get("/v1/status")
        except httpx.HTTPError:
            self._must_live()
            return None
        found: dict[str, Any] | None = answer.json() if answer.is_success else None
        return found

    def last_words(self) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join((self.folder / "daemon.log").read_text(errors="replace").splitlines()[-30:])
        return ""

    def close(self) -> None:
        self._http.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _must_live(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the daemon ended by itself with {self._process.returncode}\n{self.last_words()}")


def alive(processes: list[psutil.Process]) -> list[str]:
    """Those that still run, in words; a dead one that nobody has reaped does not."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid}: {' '.join(process.cmdline())[:120]}")
    return found


def _offspring(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
        return found
    return []


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
