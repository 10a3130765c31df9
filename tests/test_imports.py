"""The light daemon: importing any of its modules loads no training library, reads, prints and starts nothing."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("storage", "consumers", "learners", "daemon")
WORKERS = ("learners.training", "learners.engines.local", "learners.embeddings")  # here torch is at home
HEAVY = ("torch", "transformers", "peft", "trl", "sentence_transformers", "sklearn", "datasets", "accelerate")

# Opens are watched from inside: whatever is neither code nor a library's own file must not be read at import.
PROBE = """
import importlib, json, os, sys, threading
opened = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        opened.append(os.fsdecode(arguments[0]))
    elif event in ("socket.bind", "socket.connect", "subprocess.Popen", "os.posix_spawn", "os.fork"):
        opened.append(event)
sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "opened": opened,
    "threads": [thread.name for thread in threading.enumerate()],
}))
"""


def modules() -> list[str]:
    """Every module of the rooms that the daemon may import, without running one to find it."""
    found: list[str] = []
    for room in ROOMS:
        found.append(room)
        found += _below(ROOT / room, room)
    return [name for name in found if not name.startswith(WORKERS) and not name.endswith("__main__")]


def _below(folder: Path, package: str) -> list[str]:
    found = []
    for each in pkgutil.iter_modules([str(folder)], f"{package}."):
        found.append(each.name)
        if each.ispkg:
            found += _below(folder / each.name.rpartition(".")[2], each.name)
    return found


@pytest.fixture(scope="module")
def probed() -> dict[str, Any]:
    names = [name for name in modules() if name != "storage.migrations.env"]  # run by Alembic, inside a migration
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROBE, *names], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()  # nothing else was printed
    found: dict[str, Any] = json.loads(line)
    return found


def test_every_room_is_looked_at() -> None:
    found = modules()
    assert {"daemon.app", "daemon.cli.main", "storage.dialects.sqlite", "learners.methods.sft"} <= set(found)
    assert {"consumers.sources.kafka.source", "learners.validators.mermaid_erd", "daemon.gateway.app"} <= set(found)
    assert len(found) > 100


def test_nothing_heavy_is_loaded(probed: dict[str, Any]) -> None:
    assert [name for name in HEAVY if name in probed["modules"]] == []


def test_nothing_is_read_or_started_at_import(probed: dict[str, Any]) -> None:
    code = (".py", ".pyc", ".so", ".pth", "METADATA", "RECORD", "entry_points.txt", "PKG-INFO")
    read = [path for path in probed["opened"] if not path.startswith((sys.prefix, sys.base_prefix))]  # libraries' own
    own = [path for path in read if str(ROOT) in path or not path.startswith("/")]
    assert [path for path in own if not path.endswith(code)] == []
    assert probed["threads"] == ["MainThread"]
