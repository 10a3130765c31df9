"""Executor `local`: worker processes on this machine, forked from a server that has the slow libraries loaded.

A forked worker is ready in tenths of a second where a fresh interpreter needs several. The server holds no state and
computes nothing; when it dies, its workers end themselves and the next job starts another server. When this process
dies, however it dies, workers and server end too.

Each worker leads its own session, so ending a job means killing its process group. It keeps no promise of mercy:
a worker has nothing to save, its directory is thrown away.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from daemon.executors.protocol import ExecutorError, ExecutorUnavailable, Handle, JobStatus, TrainingNotInstalled
from learners.job import HEARTBEAT, RESULT
from learners.job_files import read_job
from learners.training.worker import run

NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "safetensors", "optuna")
PRELOAD = ("learners.training.preload",)
SERVER_DIED = 255  # what multiprocessing reports when it cannot learn an exit code, because the fork server is gone
ENDING_S = 10.0
# Threads of torch that wait for each other spin by default. Beside an engine and a gateway on few cores that takes the
# time of the very threads they wait for: training was seen to slow down four times. Read when the server loads torch.
SLEEP_WHILE_WAITING = ("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(slots=True)
class _Attempt:
    process: ForkServerProcess
    final: JobStatus | None = None


class LocalExecutor:
    """See `daemon.executors.Executor`. `also_preload` names modules that the server should import beside its own.

    One process has one fork server, whoever asks for it first; all executors of this process share it.
    """

    def __init__(self, *, also_preload: Sequence[str] = ()) -> None:
        self._context = get_context("forkserver")
        self._preload = [*PRELOAD, *also_preload]
        self._attempts: dict[Path, _Attempt] = {}
        self._lock = threading.Lock()  # multiprocessing reads each exit code once, and from anywhere

    def warm(self) -> None:
        """Starts the server, which imports in the background; returns at once. Raises TrainingNotInstalled."""
        require_training()
        os.environ.setdefault(*SLEEP_WHILE_WAITING)
        with self._lock:
            self._context.set_forkserver_preload(self._preload)
            forkserver.ensure_running()

    def submit(self, directory: Path) -> Handle:
        """Returns when the worker exists: at once when warm, after the server's imports when not."""
        limit_s = read_job(directory).time_limit_s
        self.warm()
        with self._lock:
            process = self._start(directory)
            self._attempts[directory] = _Attempt(process)
        assert process.pid is not None
        return Handle(directory, process.pid, None if limit_s is None else time.monotonic() + limit_s)

    def poll(self, handle: Handle) -> JobStatus:
        with self._lock:
            attempt = self._attempt(handle)
            if attempt.final is None:
                attempt.final = self._ended(attempt, handle)
            return attempt.final or JobStatus("running", heartbeat_age_s=heartbeat_age_s(handle.directory))

    def ask_to_end(self, handle: Handle) -> None:
        with self._lock:
            attempt = self._attempt(handle)
            if attempt.final is None and attempt.process.exitcode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(handle.pid, signal.SIGTERM)

    def cancel(self, handle: Handle) -> None:
        with self._lock:
            attempt = self._attempt(handle)
            if attempt.final is None:
                attempt.final = self._ended(attempt, handle) or self._end(attempt, handle, "cancelled")

    def fetch(self, handle: Handle) -> Path:
        return handle.directory

    def close(self) -> None:
        with self._lock:
            for directory, attempt in self._attempts.items():
                if attempt.final is None and attempt.process.pid is not None:
                    attempt.final = self._end(attempt, Handle(directory, attempt.process.pid), "cancelled: closing")

    def _start(self, directory: Path) -> ForkServerProcess:
        """Twice, since the server may have died a moment ago."""
        for _ in range(2):
            process = self._context.Process(target=run, args=(str(directory),), name="adaptd-worker", daemon=True)
            with contextlib.suppress(EOFError, OSError):
                process.start()
                return process
        raise ExecutorUnavailable("The fork server for workers died twice while it started one; is memory short?")

    def _attempt(self, handle: Handle) -> _Attempt:
        if handle.directory not in self._attempts:
            raise ExecutorError(f"No job was submitted by this process in {handle.directory}.")
        return self._attempts[handle.directory]

    def _ended(self, attempt: _Attempt, handle: Handle) -> JobStatus | None:
        code = attempt.process.exitcode
        if code is None:
            late = handle.deadline_s is not None and time.monotonic() > handle.deadline_s
            return self._end(attempt, handle, "ran longer than its time limit") if late else None
        if code == SERVER_DIED:  # the worker has noticed, or is made to
            _kill_group(handle.pid)
            _wait_until_gone(handle.pid)
        return _status(code, handle)

    def _end(self, attempt: _Attempt, handle: Handle, reason: str) -> JobStatus:
        _kill_group(handle.pid)
        attempt.process.join(ENDING_S)
        if attempt.process.exitcode is None:
            raise ExecutorError(f"Worker {handle.pid} did not end within {ENDING_S:g} s of SIGKILL; look at its state.")
        return JobStatus("crashed", signal=signal.SIGKILL, reason=reason)


def require_training() -> None:
    """Raises TrainingNotInstalled when a library that workers need is missing; imports none of them."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise TrainingNotInstalled(
            f"Training needs {', '.join(missing)}, which this environment lacks. Install: pip install 'adaptd[train]'"
        )


def heartbeat_age_s(directory: Path) -> float | None:
    """Seconds since the worker's last sign of life; None before its first. They come every second."""
    try:
        return max(0.0, time.time() - (directory / HEARTBEAT).stat().st_mtime)
    except FileNotFoundError:
        return None


def _status(code: int, handle: Handle) -> JobStatus:
    """A result counts however the worker ended after it: it is written last, and whole."""
    age_s = heartbeat_age_s(handle.directory)
    known = None if code in (SERVER_DIED,) or code < 0 else code
    killed_by = -code if code < 0 else None
    if (handle.directory / RESULT).exists():
        return JobStatus("done", known, killed_by, age_s)
    return JobStatus("crashed", known, killed_by, age_s, _why(code))


def _why(code: int) -> str:
    if code == SERVER_DIED:
        return "the fork server died"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return "ended without a result" if code == 0 else f"exit code {code}; see worker.log in the job directory"


def _kill_group(pid: int) -> None:
    """The whole group; the process alone while it has not yet made one."""
    with contextlib.suppress(ProcessLookupError):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(pid, signal.SIGKILL)


def _wait_until_gone(pid: int) -> None:
    until = time.monotonic() + ENDING_S
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
