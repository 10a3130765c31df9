"""A real Prometheus, and its promtool, for tests: does it read our page, our rules and our dashboard?

As fixtures: `promtool` runs the tool; `prometheus_server` starts a server on given targets and is asked over its HTTP
API. Both come from Debian's package `prometheus`. Without it they skip, saying what to install; with `CI=true` they
fail.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from ruamel.yaml import YAML

from tests.services.waiting import wait_until

PATIENCE_S = 60.0
INSTALL = "install Debian's package: apt-get install -y prometheus (and stop the service that it starts)"

Promtool = Callable[..., subprocess.CompletedProcess[str]]


class PrometheusServer:
    """Scrapes every `scrape_s` seconds; its data is in `folder`."""

    def __init__(self, binary: str, folder: Path, jobs: Mapping[str, str], scrape_s: int = 5) -> None:
        self._binary, self._folder, self._port = binary, folder, _free_port()
        scrapes = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs.items()]
        config = {"global": {"scrape_interval": f"{scrape_s}s"}, "scrape_configs": scrapes}
        with (folder / "prometheus.yml").open("w") as file:
            YAML(typ="safe").dump(config, file)
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=PATIENCE_S, trust_env=False)

    def __enter__(self) -> PrometheusServer:
        command = [
            *(self._binary, f"--config.file={self._folder / 'prometheus.yml'}"),
            *(f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{self._port}"),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._ready, PATIENCE_S, "Prometheus to be ready", self.log)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What the expression is now: one entry a series, with `metric` and `value` (time, text)."""
        answer = self._http.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def values(self, expression: str) -> list[float]:
        return [float(series["value"][1]) for series in self.query(expression)]

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def _ready(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            return self._http.get("/-/ready").is_success
        except httpx.HTTPError:
            return False

    def _end(self) -> None:
        self._http.close()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE_S)


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs promtool with arguments, and `input` on its standard input."""
    binary = _binary("promtool")

    def run(*arguments: str | Path, cwd: Path | None = None, text: str | None = None) -> Any:
        return subprocess.run(
            [binary, *map(str, arguments)], cwd=cwd, input=text, capture_output=True, text=True, timeout=280
        )

    return run


@pytest.fixture
def prometheus_server(tmp_path: Path) -> Iterator[Callable[[Mapping[str, str]], PrometheusServer]]:
    """Starts a server on targets by job name; it ends with the test."""
    binary, folder = _binary("prometheus"), tmp_path / "prometheus"
    folder.mkdir()
    with ExitStack() as running:
        yield lambda jobs: running.enter_context(PrometheusServer(binary, folder, jobs))


def _binary(name: str) -> str:
    return shutil.which(name) or _unavailable(name)


def _unavailable(name: str) -> NoReturn:
    """A visible skip on a laptop, a failure where `CI=true`."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a real {name}: {INSTALL}")
    pytest.skip(f"no {name} here: {INSTALL}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
