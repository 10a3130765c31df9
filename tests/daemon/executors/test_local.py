"""Workers on this machine: they end well, they crash and it is told, and they never outlive whom they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.executors import ExecutorError, Handle, JobStatus, TrainingNotInstalled
from daemon.executors import local as local_module
from daemon.executors.local import LocalExecutor, heartbeat_age_s
from learners.job import TrainResult
from learners.job_files import read_result
from tests.learners.training.tiny import make_job, row

pytestmark = [pytest.mark.train, pytest.mark.slow]
PATIENCE_S = 60.0
ROOT = Path(__file__).parents[3]


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s until {what}"
        time.sleep(0.02)


def ended(executor: LocalExecutor, handle: Handle) -> JobStatus:
    until(lambda: executor.poll(handle).state != "running", "the job ended")
    return executor.poll(handle)


def a_noop(directory: Path, base: Path, *, lasts_s: float = 0.0, **changes: Any) -> Path:
    make_job(directory, base, [row(0)], method="noop", settings={"step_time": lasts_s}, **changes)
    return directory


def started(executor: LocalExecutor, directory: Path) -> Handle:
    """A job whose worker has given its first sign of life."""
    handle = executor.submit(directory)
    until(lambda: executor.poll(handle).heartbeat_age_s is not None, "the first heartbeat")
    return handle


def test_a_job_runs_to_its_result(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = executor.submit(a_noop(tmp_path / "job", tiny_base))
    assert ended(executor, handle).state == "done"
    result = read_result(executor.fetch(handle))
    assert isinstance(result, TrainResult)
    assert result.outcome == "trained"
    assert executor.poll(handle).state == "done"


def test_training_in_two_workers_gives_the_same_bytes(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handles = []
    for name in ("a", "b"):
        make_job(tmp_path / name, tiny_base, [row(i) for i in range(8)])
        handles.append(executor.submit(tmp_path / name))
        assert ended(executor, handles[-1]).state == "done"
    results = [read_result(handle.directory) for handle in handles]
    assert all(isinstance(result, TrainResult) and result.outcome == "trained" for result in results)
    first, second = results
    assert isinstance(first, TrainResult)
    assert isinstance(second, TrainResult)
    assert first.warm
    assert first.files == second.files


def test_a_worker_leads_its_own_group_and_beats(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = started(executor, a_noop(tmp_path / "job", tiny_base, lasts_s=60))
    assert os.getpgid(handle.pid) == handle.pid
    first = (handle.directory / "heartbeat").stat().st_mtime_ns
    until(lambda: (handle.directory / "heartbeat").stat().st_mtime_ns > first, "the next heartbeat")
    assert executor.poll(handle).state == "running"


def test_a_cancelled_job_is_gone_with_what_it_started(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = started(executor, a_noop(tmp_path / "job", tiny_base, lasts_s=60))
    executor.cancel(handle)
    assert not psutil.pid_exists(handle.pid)
    status = executor.poll(handle)
    assert (status.state, status.signal, status.reason) == ("crashed", signal.SIGKILL, "cancelled")
    executor.cancel(handle)


def test_a_killed_worker_is_a_crash_with_its_signal(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = started(executor, a_noop(tmp_path / "job", tiny_base, lasts_s=60))
    os.kill(handle.pid, signal.SIGSEGV)
    status = ended(executor, handle)
    assert (status.state, status.signal, status.exit_code) == ("crashed", signal.SIGSEGV, None)
    assert "SIGSEGV" in status.reason


def test_an_unforeseen_error_is_a_crash_with_its_exit_code(
    executor: LocalExecutor, tmp_path: Path, tiny_base: Path
) -> None:
    directory = a_noop(tmp_path / "job", tiny_base)
    (directory / "adapter").write_text("in the way")
    status = ended(executor, executor.submit(directory))
    assert (status.state, status.exit_code, status.signal) == ("crashed", 1, None)
    assert "worker.log" in status.reason
    assert "Traceback" in (directory / "worker.log").read_text()


def test_foreseen_trouble_is_a_failed_result_not_a_crash(
    executor: LocalExecutor, tmp_path: Path, tiny_base: Path
) -> None:
    directory = a_noop(tmp_path / "job", tiny_base)
    (directory / "rows.jsonl").unlink()
    handle = executor.submit(directory)
    assert ended(executor, handle).state == "done"
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    assert result.outcome == "failed"
    assert "rows.jsonl cannot be read" in result.reason


def test_a_job_over_its_time_limit_is_ended(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = executor.submit(a_noop(tmp_path / "job", tiny_base, lasts_s=60, time_limit_s=0.5))
    status = ended(executor, handle)
    assert (status.state, status.reason) == ("crashed", "ran longer than its time limit")
    assert not psutil.pid_exists(handle.pid)


def test_a_worker_whose_directory_is_gone_ends_itself(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = started(executor, a_noop(tmp_path / "job", tiny_base, lasts_s=60))
    until((handle.directory / "plan.jsonl").exists, "it is at work")
    handle.directory.rename(tmp_path / "moved")
    assert ended(executor, handle).exit_code == 70


def test_when_the_fork_server_is_killed_its_jobs_are_crashed_and_the_next_runs(
    executor: LocalExecutor, tmp_path: Path, tiny_base: Path
) -> None:
    handle = started(executor, a_noop(tmp_path / "job", tiny_base, lasts_s=60))
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGKILL)
    status = ended(executor, handle)
    assert (status.state, status.reason) == ("crashed", "the fork server died")
    assert not psutil.pid_exists(handle.pid)
    assert ended(executor, executor.submit(a_noop(tmp_path / "next", tiny_base))).state == "done"


def test_closing_ends_what_runs(executor: LocalExecutor, tmp_path: Path, tiny_base: Path) -> None:
    handle = started(executor, a_noop(tmp_path / "job", tiny_base, lasts_s=60))
    executor.close()
    assert not psutil.pid_exists(handle.pid)


PARENT = """
import sys, time
from pathlib import Path
from daemon.executors.local import LocalExecutor

if __name__ == "__main__":
    handle = LocalExecutor().submit(Path(sys.argv[1]))
    print(handle.pid, flush=True)
    time.sleep(600)
"""


def test_a_worker_does_not_outlive_a_daemon_that_was_killed(tmp_path: Path, tiny_base: Path) -> None:
    directory = a_noop(tmp_path / "job", tiny_base, lasts_s=600)
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script), str(directory)], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        server = psutil.Process(worker).ppid()
        until(lambda: heartbeat_age_s(directory) is not None, "the first heartbeat")
        parent.kill()
    until(lambda: not psutil.pid_exists(worker), "the worker ended")
    until(lambda: not psutil.pid_exists(server), "the fork server ended")


def test_a_job_that_nobody_submitted_is_refused(executor: LocalExecutor, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="No job was submitted"):
        executor.poll(Handle(tmp_path, 1))


def test_without_the_training_extra_it_says_how_to_install_it(
    executor: LocalExecutor, tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "NEEDED", ("json", "no_such_library"))
    with pytest.raises(TrainingNotInstalled, match=r"no_such_library.*pip install 'adaptd\[train\]'"):
        executor.submit(a_noop(tmp_path / "job", tiny_base))
