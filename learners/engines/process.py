"""Starts the local engine as a child process and says when it is ready, gone, or never came. No torch.

The same class runs any worker that serves on a port which it writes to a file when ready (the gateway does so too).
It does not restart anything: that is the supervisor's decision.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from learners.engines.errors import EngineUnreachable

LOG_TAIL_BYTES = 600


class PortProcess:
    """One child with its folder: `<directory>/port` comes when it is ready, `<directory>/log` holds what it printed.

    `command` is what to run without `--port-file` and `--parent-pid`, which are added.
    """

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self._directory = directory
        self._port_file = directory / "port"
        ours = ["--port-file", str(self._port_file), "--parent-pid", str(os.getpid())]
        self._command = [*command, *ours]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts a new child, in a process group of its own; the former one must be gone."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._port_file.unlink(missing_ok=True)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs (or never started); negative is the signal that ended it."""
        return None if self._process is None else self._process.poll()

    @property
    def url(self) -> str | None:
        """Where it serves; None while it is not ready or no longer there."""
        if self._process is None or self.exit_code is not None:
            return None
        try:
            return f"http://127.0.0.1:{int(self._port_file.read_text())}"
        except (OSError, ValueError):
            return None

    def wait_ready(self, timeout_s: float) -> str:
        """Its URL. Raises EngineUnreachable, with the end of its log, when it ended or took longer."""
        until = time.monotonic() + timeout_s
        while (url := self.url) is None:
            if self.exit_code is not None:
                raise EngineUnreachable(f"{self._name} ended with code {self.exit_code}: {self.last_words()}")
            if time.monotonic() > until:
                raise EngineUnreachable(
                    f"{self._name} was not ready within {timeout_s:g} s; see {self._directory}/log."
                )
            time.sleep(0.02)
        return url

    def last_words(self) -> str:
        """The end of what it printed."""
        try:
            return (self._directory / "log").read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    def stop(self, timeout_s: float = 5.0) -> None:
        """Asks it to end, and kills its process group when it does not within `timeout_s`."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def _name(self) -> str:
        return " ".join(self._command[1:3])


def local_engine_command(
    base: Path | str, *, threads: int, max_adapters: int, max_context: int = 2048, max_rank: int = 64
) -> list[str]:
    """What to hand to PortProcess for a local engine on that base."""
    return [
        *(sys.executable, "-m", "learners.engines.local"),
        *("--base", str(base)),
        *("--threads", str(threads)),
        *("--max-adapters", str(max_adapters)),
        *("--max-context", str(max_context)),
        *("--max-rank", str(max_rank)),
    ]
