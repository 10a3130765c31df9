"""The real daemon as the demo's child: `adaptd run` in the demo's folder, asked through its public API alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from daemon.errors import DaemonError

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0
LIST_TIMEOUT_S = 60.0


class DaemonFailed(DaemonError):
    """The daemon did not start or is gone; the text ends with its last words.

    To do: read the daemon's log in the demo's folder.

    Shows as: its exit code alone.
    """


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that nobody listens on right now, all different: so they are held together."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(int(probe.getsockname()[1]) for probe in probes)


class DaemonProcess:
    """Started in `folder`, which holds adaptd.yaml; its log goes to `folder/daemon.log`."""

    def __init__(self, folder: Path, api_url: str, gateway_url: str) -> None:
        self.folder, self.api_url, self.gateway_url = folder, api_url, gateway_url
        self._http = httpx.Client(base_url=api_url, timeout=10, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the base answers through the gateway. Raises DaemonFailed."""
        root = str(Path(__file__).resolve().parents[3])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        with (self.folder / "daemon.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "daemon.cli.main", "run"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_TIMEOUT_S
        while not self._serves():
            if time.monotonic() > until:
                raise DaemonFailed(f"the daemon did not serve within {START_TIMEOUT_S:.0f} s: {self.last_words()}")
            time.sleep(0.2)

    @property
    def pid(self) -> int:
        """Raises DaemonFailed before `start`."""
        if self._process is None:
            raise DaemonFailed("the daemon was not started")
        return self._process.pid

    def stop(self) -> None:
        """As an operator would: SIGTERM, and wait."""
        self._http.close()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def status(self) -> dict[str, Any]:
        """`GET /v1/status`."""
        return self._get("/v1/status")

    def decisions(self, after: int) -> list[dict[str, Any]]:
        """`GET /v1/decisions` after a number."""
        return self._get(f"/v1/decisions?after={after}")

    def updates(self) -> list[dict[str, Any]]:
        """`GET /v1/updates`."""
        return self._get("/v1/updates")

    def last_words(self) -> str:
        """The end of its log."""
        return (self.folder / "daemon.log").read_text(errors="replace")[-1500:]

    def wait_until_listed(self, model: str) -> None:
        """The gateway learns of a new champion within a second or two. Raises DaemonFailed."""
        until = time.monotonic() + LIST_TIMEOUT_S
        while not self._lists(model):
            if time.monotonic() > until:
                raise DaemonFailed(f"the gateway did not list {model} within {LIST_TIMEOUT_S:.0f} s")
            time.sleep(0.1)

    def _serves(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise DaemonFailed(f"the daemon ended with code {self._process.returncode}: {self.last_words()}")
        return self._lists("erd")

    def _lists(self, model: str) -> bool:
        try:
            listed = httpx.get(f"{self.gateway_url}/v1/models", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        return listed.is_success and any(found["id"] == model for found in listed.json()["data"])

    def _get(self, path: str) -> Any:
        if self._process is not None and self._process.poll() is not None:
            raise DaemonFailed(f"the daemon ended with code {self._process.returncode}: {self.last_words()}")
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()
