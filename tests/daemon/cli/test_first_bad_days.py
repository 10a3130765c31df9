"""What goes wrong on the first day: one clear line that says what to do, the right exit code, and nothing lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.daemons import PATIENCE_S, Daemon, adaptd, free_port, write_yaml
from tests.daemon.desk import wire
from tests.services.waiting import wait_until

pytestmark = pytest.mark.slow

NOT_INSTALLED = """\
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = {"torch", "transformers", "peft", "trl", "datasets", "accelerate", "safetensors", "tokenizers"}
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def told(folder: Path, *arguments: str | Path, code: int, environ: dict[str, str] | None = None) -> str:
    """What `adaptd run` says in its one line before it ends with that code."""
    done = adaptd("run", *arguments, cwd=folder, environ=environ)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("adaptd: ")]
    return line


def light(folder: Path, config: dict[str, Any] | None = None) -> list[str | Path]:
    return ["--config", write_yaml(folder, config or {}), "--role", "intake,api"]


def test_broken_yaml(tmp_path: Path) -> None:
    (tmp_path / "adaptd.yaml").write_text("model: {base: x\nsources: []\n")
    line = told(tmp_path, code=3)
    assert line.startswith("adaptd: adaptd.yaml:2: not valid YAML:")
    assert line.endswith("nothing was changed")


def test_no_config_at_all(tmp_path: Path) -> None:
    line = told(tmp_path, code=3)
    assert line == "adaptd: adaptd.yaml: there is no such file; `adaptd init` writes one, -c names another"


def test_a_port_in_use(tmp_path: Path, daemon: Daemon) -> None:
    port = daemon.client.base_url.port
    line = told(tmp_path, *light(tmp_path, {"api": {"port": port}}), code=3)
    assert f"cannot listen on 127.0.0.1:{port}" in line
    assert "set `api.port` to a free one" in line
    assert not (tmp_path / "adaptd.db").exists()


def test_a_second_daemon_on_one_store(tmp_path: Path, daemon: Daemon) -> None:
    url = f"sqlite:///{daemon.config.parent / 'adaptd.db'}"
    line = told(tmp_path, *light(tmp_path, {"storage": {"url": url}}), code=5)
    assert f"adaptd.db is open for writing by process {daemon.process.pid}; stop it" in line
    assert daemon.client.post("/v1/events", json=wire("still-taken")).json()["stored"] == 1


def test_a_second_daemon_on_one_artifacts_folder(tmp_path: Path, daemon: Daemon) -> None:
    artifacts = daemon.config.parent / "artifacts"
    port = artifacts / "engine" / "port"
    port.parent.mkdir(exist_ok=True)
    port.write_text("1")
    line = told(tmp_path, *light(tmp_path, {"storage": {"artifacts": str(artifacts)}}), code=5)
    assert f"storage.artifacts: {artifacts} is in use by process {daemon.process.pid}; stop it" in line
    assert port.read_text() == "1"
    assert adaptd("doctor", "--config", daemon.config, "--json", cwd=tmp_path).stdout.count('"artifacts"') == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = told(tmp_path, *light(tmp_path, {"storage": {"url": "sqlite:///file/adaptd.db"}}), code=5)
    assert f"cannot write in {tmp_path / 'file'}: Not a directory; give adaptd a folder that it may write to" in line
    line = told(tmp_path, *light(tmp_path, {"storage": {"artifacts": "file/artifacts"}}), code=3)
    assert "storage.artifacts: " in line
    assert "cannot be used (Not a directory); name another folder" in line


def test_a_missing_model_folder(tmp_path: Path) -> None:
    config = write_yaml(tmp_path, {"model": {"base": "./no-such-model"}})
    line = told(tmp_path, "--config", config, code=3)
    assert f"There is no model folder {tmp_path / 'no-such-model'}; set model.base" in line
    assert "to collect feedback without training: adaptd run --role intake,api" in line


def test_training_not_installed(tmp_path: Path) -> None:
    base, hidden = tmp_path / "base", tmp_path / "hidden"
    for folder in (base, hidden):
        folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (base / name).write_text("{}")
    (hidden / "sitecustomize.py").write_text(NOT_INSTALLED)
    config = write_yaml(tmp_path, {"model": {"base": "./base"}})
    line = told(tmp_path, "--config", config, code=3, environ={"PYTHONPATH": str(hidden)})
    assert "torch" in line
    assert "pip install 'adaptd[train]'" in line
    assert "to collect feedback without training: adaptd run --role intake,api" in line


def test_a_password_file_that_is_missing(tmp_path: Path) -> None:
    security = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u", "password_file": "none"}
    source = {"type": "kafka", "bootstrap_servers": ["127.0.0.1:1"], "topics": ["t"], "security": security}
    line = told(tmp_path, *light(tmp_path, {"sources": [source]}), code=3)
    assert "password_file" in line
    assert str(tmp_path / "none") in line


def test_an_absent_broker_degrades_its_source_alone(tmp_path: Path) -> None:
    broker = f"127.0.0.1:{free_port()}"
    sources = [{"type": "http"}, {"type": "kafka", "bootstrap_servers": [broker], "topics": ["feedback"]}]
    with Daemon(write_yaml(tmp_path, {"sources": sources})) as daemon:

        def degraded() -> bool:
            (kafka,) = daemon.status()["sources"]
            return kafka["state"] == "degraded" and broker in kafka["reason"]

        wait_until(degraded, PATIENCE_S, "the source to be degraded", daemon.log)
        assert daemon.status()["ready"]
        assert daemon.client.post("/v1/events", json=wire("a")).json()["stored"] == 1
        shown = adaptd("status", cwd=tmp_path)
        assert "source   kafka degraded" in shown.stdout
        assert daemon.end(signal.SIGTERM) == 0
    assert "Traceback" not in daemon.log()


def test_a_missing_file_of_events_degrades_its_source_until_it_is_there(tmp_path: Path) -> None:
    with Daemon(write_yaml(tmp_path, {"sources": [{"type": "jsonl", "path": "feedback.jsonl"}]})) as daemon:
        wait_until(lambda: daemon.status()["sources"][0]["state"] == "degraded", PATIENCE_S, "the source to miss it")
        assert "there is no file" in daemon.status()["sources"][0]["reason"]
        whole = tmp_path / "whole.jsonl"
        whole.write_bytes(b'{"not": "an event"}\n')
        os.rename(whole, tmp_path / "feedback.jsonl")
        wait_until(
            lambda: daemon.status()["events"]["dead_letters"] == 1, PATIENCE_S, "the file to be read", daemon.log
        )


def test_ctrl_c_stops_in_order(tmp_path: Path) -> None:
    with Daemon(write_yaml(tmp_path, {}), arguments=["--log-format", "json"]) as daemon:
        assert daemon.end(signal.SIGINT) == 0
    lines = daemon.log().splitlines()
    assert lines
    assert all(line.startswith("{") for line in lines)
    assert '"event": "stopped"' in lines[-1]
