"""Real daemons for tests: one in a thread of this process, or one as a process of its own. No model needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from ruamel.yaml import YAML

from daemon.app import App
from daemon.config import load
from tests.services.waiting import wait_until

PATIENCE_S = 60.0
REPOSITORY = Path(__file__).parents[2]


_given: set[int] = set()


def free_port() -> int:
    """One that was not given to this process before: two services of one test must not meet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port


def write_yaml(folder: Path, config: Mapping[str, Any]) -> Path:
    """The config with an API port of its own, in `folder`/adaptd.yaml."""
    path = folder / "adaptd.yaml"
    whole = {"sources": [{"type": "http"}], "tasks": {"erd": None}, **config}
    whole["api"] = {"port": free_port(), **whole.get("api", {})}
    with path.open("w") as file:
        YAML(typ="safe").dump(whole, file)
    return path


def url_of(config: Path) -> str:
    return f"http://127.0.0.1:{load(config, environ={}).api.port}"


@contextmanager
def app_in_thread(config: Path, roles: Sequence[str] = ("intake", "api")) -> Iterator[tuple[App, httpx.Client]]:
    """A daemon in a thread of this process, and a client of it; whatever ends it early is raised here."""
    app = App(load(config, environ={}), roles)
    failure: list[BaseException] = []

    def run() -> None:
        try:
            app.run()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="adaptd")
    thread.start()
    with httpx.Client(base_url=url_of(config), timeout=PATIENCE_S, trust_env=False) as client:
        try:
            wait_until(lambda: bool(failure) or answers(client), PATIENCE_S, "the daemon to answer")
            if not failure:
                yield app, client
        finally:
            app.stop()
            thread.join(PATIENCE_S)
    if failure:
        raise failure[0]
    assert not thread.is_alive()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.HTTPError:
        return False


def adaptd(
    *arguments: str | Path, cwd: Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line as a user has it, to its end."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(environ), capture_output=True, text=True, timeout=PATIENCE_S * 3
    )


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "daemon.cli.main", *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This one's, without what would change adaptd's settings, with the repository importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTD_")}
    paths = [*(more or {}).get("PYTHONPATH", "").split(os.pathsep), str(REPOSITORY)]
    return {**kept, "COLUMNS": "200", **(more or {}), "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


class Daemon:
    """`adaptd run` as a process; its log is kept in the folder of its config."""

    def __init__(
        self,
        config: Path,
        roles: str = "intake,api",
        arguments: Sequence[str] = (),
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.config, self._patience_s = config, patience_s
        self.log_path = config.parent / "daemon.log"
        self._command = command("run", "--config", config, "--role", roles, *arguments)
        self.client = httpx.Client(base_url=url_of(config), timeout=PATIENCE_S, trust_env=False)

    def __enter__(self) -> Self:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self.config.parent, env=environment(), stdout=log, stderr=log
            )
        try:
            wait_until(self._ready, self._patience_s, "the daemon to be ready", self.log)
        except BaseException:
            self.end(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        return answers(self.client)

    def end(self, number: signal.Signals) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.client.close()
        return code

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/v1/status").json()
        return found
