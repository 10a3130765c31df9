"""The examples of docs/add-a-learner.md, put where the page says, in a copy of adaptd, keep their contracts and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.daemon.daemons import REPOSITORY, environment, free_port
from tests.docs.shell_blocks import only_pythons_own, page

pytestmark = pytest.mark.slow

PAGE = page("add-a-learner.md")
PLACE = re.compile(r"# ([\w/]+\.py)( \(append\))?\n")
COPIED = ("storage", "consumers", "learners", "daemon", "docs", "examples", "tests", "pyproject.toml")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """adaptd with the page's files in it."""
    root = tmp_path_factory.mktemp("adaptd")
    for name in COPIED:
        source, target = REPOSITORY / name, root / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "streams", "images"))
        else:
            shutil.copy(source, target)
    for text in only_pythons_own(PAGE):
        found = PLACE.match(text)
        assert found, f"the first line of this block names no file:\n{text}"
        place = root / found[1]
        assert place.exists() == bool(found[2]), f"{found[1]}: to be made, or to be appended to?"
        place.write_text((place.read_text() if found[2] else "") + text[found.end() :])
    return root


def run(copy: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in environment(environ).items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**variables, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )


def passes(copy: Path, *arguments: str) -> int:
    """How many tests passed; fails with what they said where one does not."""
    done = run(copy, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted, done.stdout
    return int(counted[1])


def test_the_validator_keeps_the_contract_of_validators(copy: Path) -> None:
    assert passes(copy, "tests/learners/validators/test_contract.py", "-k", "word_limit") >= 10


def test_the_source_keeps_the_contract_of_sources(copy: Path) -> None:
    assert passes(copy, "tests/consumers/sources/test_spool.py", "tests/consumers/sources/test_discovery.py") >= 10


def test_the_release_target_keeps_the_contract_of_targets(copy: Path) -> None:
    assert passes(copy, "tests/daemon/release/test_contract.py", "-k", "webhook or found") >= 3


def test_the_learner_keeps_the_contract_of_hooks(copy: Path) -> None:
    assert passes(copy, "tests/learners/hooks/test_contract.py", "-k", "newest") >= 5


@pytest.fixture
def champions() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A program that is told who is champion."""
    told: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,)).start()
    yield f"http://127.0.0.1:{server.server_port}/champion", told
    server.shutdown()
    server.server_close()


def test_a_config_may_name_them_and_the_target_tells_of_a_champion_once(
    copy: Path, tmp_path: Path, champions: tuple[str, list[dict[str, str]]]
) -> None:
    url, told = champions
    (tmp_path / "adaptd.yaml").write_text(
        f"sources: [{{type: spool, path: ./spool}}]\n"
        f"release: {{targets: [webhook], webhook: {{url: '{url}'}}}}\n"
        f"learners: {{newest: true}}\n"
        f"tasks:\n  my-task:\n    validator: {{name: word_limit, settings: {{max_words: 50}}}}\n"
        f"    newest: {{share: 0.3}}\n"
    )
    script = f"""
from pathlib import Path
from daemon.config import load
from daemon.release import targets
from daemon.release.contract import Site
from tests.daemon.release.wanted import wanted
config = load(Path({str(tmp_path / "adaptd.yaml")!r}), environ={{}})
assert config.sources[0].path == Path({str(tmp_path / "spool")!r}), config.sources
task = config.task("my-task")
assert task.learners.on("newest") and task.hooks["newest"].share == 0.3, task
target = targets()["webhook"].open_target(config.release.webhook, Site(Path.cwd()))
one = [wanted(Path({str(tmp_path)!r}), 2)]
print([(each.state, each.changed) for _ in range(2) for each in target.reconcile(one)])
"""
    done = run(copy, "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[('serving', True), ('serving', False)]"
    assert [one["adapter"] for one in told] == ["erd@v2"]


def test_a_daemon_stores_what_lies_in_the_spool(copy: Path, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    event = {"event_id": "e1", "occurred_at": "2026-11-21T10:00:00Z", "kind": "thumb", "thumb": "up", "task": "my-task"}
    (spool / "000001.json").write_text(json.dumps({**event, "prompt": "Say hello.", "response": "Hello!"}))
    (spool / "000002.json").write_text("nonsense")
    (tmp_path / "adaptd.yaml").write_text(
        f"sources: [{{type: spool, path: ./spool}}]\napi: {{port: {free_port()}}}\ntasks: {{my-task: }}\n"
    )
    script = f"""
import os, time, httpx
from pathlib import Path
from tests.daemon.daemons import app_in_thread
with app_in_thread(Path({str(tmp_path / "adaptd.yaml")!r})) as (_, client):
    until = time.monotonic() + 120
    while (events := client.get("/v1/status").json()["events"])["received"] < 2 and time.monotonic() < until:
        time.sleep(0.2)
print(events["stored"], events["dead_letters"])
"""
    done = run(copy, "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "1 1"


def test_the_pages_examples_are_documented_like_everything_else(copy: Path) -> None:
    script = "from docs.generate.settings import all_keys; print([k.where for k in all_keys() if k.lacks])"
    done = run(copy, "-c", script)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert os.path.isdir(copy / "docs" / "generate")
