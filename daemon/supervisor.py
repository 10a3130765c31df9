"""The supervisor: keeps the processes that serve (engine, gateway) alive beside the daemon.

Each is started in a process group of its own, probed until it answers, restarted with growing pauses when it dies or
answers no more (`daemon.pulse`), and ended with its group. They end by themselves when the daemon is killed: they
watch their parent. Training workers are not here: `daemon.executors` starts one a job.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from daemon.pulse import Pulse

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STOP_GRACE_S = 5.0
PROBE_TIMEOUT_S = 2.0  # while it starts; each probe holds up the loop that ticks
MOST_SAID = 300  # characters of a child's last line

ServiceState = Literal["starting", "ready", "waiting", "stopped"]


@dataclass(frozen=True)
class ServiceSpec:
    """How to start one process and how to tell that it serves: `ready(timeout_s)`, also called from other threads.
    `log_path` takes what it prints."""

    name: str
    command: Sequence[str]
    ready: Callable[[float], bool]
    log_path: Path
    start_timeout_s: float = 60.0
    before_start: Callable[[], None] = lambda: None


class Service:
    """One supervised process. `tick(now_s)` does the next due thing and never blocks longer than a probe."""

    def __init__(self, spec: ServiceSpec) -> None:
        self.spec = spec
        self.state: ServiceState = "waiting"
        self.restarts = 0
        self.reason = "not started yet"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._next_try_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._pulse = Pulse(spec.ready, 0.0)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def tick(self, now_s: float) -> None:
        """`now_s` is a monotonic clock in seconds."""
        if self.state == "stopped":
            return
        if self._process is None:
            if now_s >= self._next_try_s:
                self._start(now_s)
        elif self._process.poll() is not None:
            self._died(now_s)
        elif self.state == "starting":
            self._probe(now_s)
        else:
            self._watch(now_s)

    def stop(self) -> None:
        """Ask the group to end, then make it."""
        self.state = "stopped"
        if self._process is None:
            return
        _signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            _signal_group(self._process, signal.SIGKILL)
            self._process.wait(STOP_GRACE_S)
        self._process = None

    def _start(self, now_s: float) -> None:
        self.spec.before_start()
        self.spec.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.spec.log_path.open("ab") as output:
            self._process = subprocess.Popen(
                list(self.spec.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path.cwd(),
            )
        self.state, self._started_s, self.reason = "starting", now_s, "starting"
        log.info("service started", service=self.spec.name, pid=self._process.pid)

    def _probe(self, now_s: float) -> None:
        if self.spec.ready(PROBE_TIMEOUT_S):
            self.state, self.reason, self._pause_s = "ready", "", FIRST_PAUSE_S
            self._pulse = Pulse(self.spec.ready, now_s)
            log.info("service ready", service=self.spec.name, seconds=round(now_s - self._started_s, 2))
        elif now_s - self._started_s > self.spec.start_timeout_s and self._killed():
            self._again(now_s, f"did not answer within {self.spec.start_timeout_s:.0f} s")

    def _watch(self, now_s: float) -> None:
        self._pulse.tick(now_s)
        silent_s = self._pulse.silent_s(now_s)
        self.reason = f"has not answered for {silent_s:.0f} s" if silent_s else ""
        if self._pulse.gone(now_s) and self._killed():
            self._again(now_s, f"{self.reason}; its last words are in {self.spec.log_path}")

    def _killed(self) -> bool:
        """Whether its end came; a process that waits for its disk takes longer, and is tried again."""
        assert self._process is not None
        _signal_group(self._process, signal.SIGKILL)
        try:
            self._process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _died(self, now_s: float) -> None:
        assert self._process is not None
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        said = _last_line(self.spec.log_path) if self.state == "starting" else ""  # once it serves it may quote a user
        self._again(now_s, f"{how}: {said}" if said else f"{how}; its last words are in {self.spec.log_path}")

    def _again(self, now_s: float, reason: str) -> None:
        self._process, self.state, self.reason = None, "waiting", reason
        self.restarts += 1
        self._next_try_s = now_s + self._pause_s
        log.warning("service down", service=self.spec.name, reason=reason, again_in_s=self._pause_s)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of adaptd in this very environment."""
    return [sys.executable, "-m", module, *arguments]


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:MOST_SAID] if lines else ""


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        process.poll()
