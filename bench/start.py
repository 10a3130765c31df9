"""How soon `adaptd run` is ready, and how much memory it then takes, with everything optional off.

    python -m bench.start               ten starts
    python -m bench.start --quick       three

Each start is a process of its own with roles `intake,api` and one HTTP source: first on an empty folder, where the
store has to be made, then again and again on the same one. Ready is when `/readyz` says so; resident memory is read a
second later. Python itself, importing the libraries that every daemon needs and nothing of adaptd, is timed beside it:
that part of the start is not adaptd's to shorten.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from rich.progress import Progress

from bench.reporting import ROOT, Circumstances, Figure, finish, parser, progress

STARTS, QUICK_STARTS = 10, 3
PATIENCE_S = 60.0
LOOK_EVERY_S = 0.005
SETTLED_S = 1.0
CONFIG = """\
sources: [{{type: http}}]
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
api: {{port: {port}}}
tasks: {{bench: {{}}}}
"""
LIBRARIES = "import fastapi, kafka, numpy, pydantic, sqlalchemy, structlog, typer, uvicorn"


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds until ready, CPU seconds spent by then, resident memory a second later."""

    ready_s: float
    cpu_s: float
    rss_mb: float


def measure(starts: int, folder: Path, bars: Progress) -> tuple[Start, list[Start], list[float]]:
    """The first start, the later ones, and the seconds that the libraries alone take."""
    bar = bars.add_task("starts", total=starts)
    port = _free_port()
    (folder / "adaptd.yaml").write_text(CONFIG.format(port=port))
    found, libraries = list[Start](), list[float]()
    for _ in range(starts):
        libraries.append(_import_libraries())
        with _daemon(folder) as process:
            found.append(_watch(process, port))
        bars.advance(bar)
    return found[0], found[1:], libraries


@contextmanager
def _daemon(folder: Path) -> Iterator[psutil.Popen]:
    command = [sys.executable, "-m", "daemon.cli.main", "run", "--role", "intake,api"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "daemon.log").open("ab") as log:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _watch(process: psutil.Popen, port: int) -> Start:
    """Until it is ready. Raises RuntimeError when it ends or never is."""
    while not _is_ready(port):
        alive = process.poll() is None
        if not alive or time.time() - process.create_time() > PATIENCE_S:
            raise RuntimeError(f"the daemon {'is not ready' if alive else 'ended'}; see its log for the reason")
        time.sleep(LOOK_EVERY_S)
    ready_s, times = time.time() - process.create_time(), process.cpu_times()
    time.sleep(SETTLED_S)
    rss = sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
    return Start(ready_s, times.user + times.system, rss / 1e6)


def _is_ready(port: int) -> bool:
    """Without a client library, whose own work would be timed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _import_libraries() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True, timeout=PATIENCE_S)
    return time.perf_counter() - began


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def figures(first: Start, later: Sequence[Start], libraries: Sequence[float]) -> list[Figure]:
    """The table: medians over the later starts."""
    ready = median(start.ready_s for start in later)
    return [
        Figure("ready, first start (makes the store)", first.ready_s, "s", target=1.5, at_most=True),
        Figure("ready, later starts", ready, "s", target=1.5, at_most=True),
        Figure("CPU time until ready", median(start.cpu_s for start in later), "s"),
        Figure("the libraries alone", median(libraries), "s"),
        Figure("ready over the libraries alone", ready / median(libraries), "x"),
        Figure("resident memory", max(start.rss_mb for start in (first, *later)), "MB", target=150, at_most=True),
    ]


def main() -> None:
    """Measure, print, write."""
    options = parser(__doc__)
    options.add_argument("--starts", type=int, help=f"how often it is started (default {STARTS})")
    chosen = options.parse_args()
    starts = max(2, chosen.starts or (QUICK_STARTS if chosen.quick else STARTS))
    circumstances = Circumstances()
    with tempfile.TemporaryDirectory(prefix="adaptd-bench-") as folder, progress() as bars:
        first, later, libraries = measure(starts, Path(folder), bars)
    finish(circumstances.report("start", chosen.seed, {"starts": starts}, figures(first, later, libraries)), chosen)


if __name__ == "__main__":
    main()
