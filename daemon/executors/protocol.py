"""What an executor is: it takes a job directory, runs a worker on it somewhere, and says how that goes.

An executor knows nothing of updates: it neither retries nor reads results. A job is `done` when its worker ended well
and left `result.json`, whatever that says; it is `crashed` when the worker ended otherwise or ran out of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from storage.records import AdaptdError


class ExecutorError(AdaptdError):
    """A job could not be started, watched or ended.

    To do: read the log; where a worker does not end, look at its process.

    Shows as: a line in the daemon's log.
    """


class TrainingNotInstalled(ExecutorError):
    """The libraries that workers need are missing.

    To do: install `adaptd[train]`, or run `--role intake,api`, which collects feedback without training.

    Shows as: exit code 3, as ConfigError, when the daemon starts.
    """


class ExecutorUnavailable(ExecutorError):
    """No worker could be started; trying again later may help.

    To do: free memory; the attempt is made again.

    Shows as: a line in the daemon's log, while it lasts.
    """


@dataclass(frozen=True, slots=True)
class Handle:
    """One running attempt. `deadline_s` is on the monotonic clock of this process; None: no limit."""

    directory: Path
    pid: int
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How an attempt is. `reason` says in words why it crashed; `heartbeat_age_s` is None before the first beat."""

    state: Literal["running", "done", "crashed"]
    exit_code: int | None = None
    signal: int | None = None
    heartbeat_age_s: float | None = None
    reason: str = ""


class Executor(Protocol):
    """Safe to call from several threads."""

    def warm(self) -> None:
        """Get ready, so that the first job starts soon. May block for seconds."""

    def submit(self, directory: Path) -> Handle:
        """Start a worker on a directory that has its job.json. Raises ExecutorError."""

    def poll(self, handle: Handle) -> JobStatus:
        """How it goes; ends the job when its time is over. The first answer that is not `running` is final."""

    def ask_to_end(self, handle: Handle) -> None:
        """Tell a worker that it should finish what is quickly finished, and end; returns at once."""

    def cancel(self, handle: Handle) -> None:
        """End the job and all that it started; returns when it is gone. A job that has ended is left alone."""

    def fetch(self, handle: Handle) -> Path:
        """The directory with what the worker wrote, on this machine."""

    def close(self) -> None:
        """Cancel everything."""
