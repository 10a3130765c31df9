"""What goes wrong while it runs, or with the model: one clear line that says what to do, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.migrations import HEAD
from tests.daemon.cli.learning import PATIENCE_S, Learner, write_config
from tests.daemon.cli.test_first_bad_days import NOT_INSTALLED, light, told
from tests.daemon.daemons import Daemon, adaptd, free_port, write_yaml
from tests.daemon.desk import wire
from tests.services.kafka import KafkaBroker
from tests.services.kafka_node import SCRAM_USER
from tests.services.waiting import wait_until

pytestmark = pytest.mark.slow

NOOP = "{threads: 1, method: noop, noop: {size: 16KiB, steps: 1, step_time: 4s}}"


def until(daemon: Daemon, true: Callable[[], Any], what: str) -> None:
    wait_until(lambda: bool(true()), PATIENCE_S, what, lambda: daemon.log()[-3000:])


# -- the config


def test_a_key_of_a_later_version(tmp_path: Path) -> None:
    line = told(tmp_path, *light(tmp_path, {"watch": {"rollback": "auto"}}), code=3)
    assert "watch: not in this version; take the key out" in line


def test_a_broken_edit_of_a_running_daemon(tmp_path: Path) -> None:
    with Daemon(write_yaml(tmp_path, {"batching": {"min": 20}})) as daemon:
        good = daemon.config.read_text()
        daemon.config.write_text(good.replace("batching:", "batching: {"))
        until(daemon, lambda: daemon.status()["config"]["reloads_failed"] == 1, "the broken file to be said")
        assert "not valid YAML" in daemon.status()["config"]["last_reload"]
        assert "adaptd_config_last_reload_success 0.0" in daemon.client.get("/metrics").text
        assert daemon.status()["ready"]
        assert daemon.client.post("/v1/events", json=wire("a")).json()["stored"] == 1
        assert daemon.log().count("config not reloaded; the one in force stays") == 1
        daemon.config.write_text(good + "storage: {artifacts: elsewhere}\n")
        until(daemon, lambda: daemon.status()["config"]["needs_restart"] == ["storage.artifacts"], "the next file")
        assert "adaptd_config_last_reload_success 1.0" in daemon.client.get("/metrics").text
        assert "storage.artifacts: needs a restart" in daemon.log()
        assert "storage.artifacts: needs a restart" in adaptd("status", cwd=tmp_path).stdout
    assert not (tmp_path / "elsewhere").exists()


# -- brokers


@pytest.mark.kafka
def test_a_wrong_password_degrades_its_source_alone(tmp_path: Path, kafka: KafkaBroker) -> None:
    (tmp_path / "password").write_text("wrong")
    source = _secured(kafka, tmp_path)
    _any_base(tmp_path)
    config = write_yaml(tmp_path, {"sources": [{"type": "http"}, source], "model": {"base": "./base"}})
    with Daemon(config) as daemon:
        until(daemon, lambda: "refused the login" in daemon.status()["sources"][0]["reason"], "the refusal to be said")
        assert "check security.username and security.password_file" in daemon.status()["sources"][0]["reason"]
        assert daemon.status()["ready"]
        assert daemon.client.post("/v1/events", json=wire("a")).json()["stored"] == 1
    doctor = _doctor(tmp_path)
    assert doctor["exit_code"] == 4
    assert "the broker refused the login" in _words(doctor, "source kafka", "fail")
    (tmp_path / "password").write_text("right-password")
    assert "answers and has the topics" in _words(_doctor(tmp_path), "source kafka", "ok")


def _secured(kafka: KafkaBroker, folder: Path) -> dict[str, Any]:
    security = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": SCRAM_USER}
    security |= {"password_file": str(folder / "password"), "ca_file": str(kafka.ca_file)}
    topic = kafka.create_topic()
    return {"type": "kafka", "bootstrap_servers": kafka.secured_servers, "topics": [topic], "security": security}


def _any_base(folder: Path, **config: Any) -> Path:
    """What looks like a model from outside."""
    base = folder / "base"
    base.mkdir()
    for name in ("tokenizer.json", "model.safetensors"):
        (base / name).write_text("{}")
    (base / "config.json").write_text(json.dumps(config))
    return base


# -- folders


def test_an_artifacts_folder_that_is_read_only(tmp_path: Path) -> None:
    """`/proc/self` is a folder that everybody can enter and nobody can write, not even root."""
    line = told(tmp_path, *light(tmp_path, {"storage": {"artifacts": "/proc/self"}}), code=3)
    assert line.startswith("adaptd: storage.artifacts: /proc/")
    assert "cannot be used (" in line
    assert line.endswith("name another folder")


@pytest.mark.train
@pytest.mark.timeout(1500)
def test_an_artifacts_folder_that_goes_away_and_comes_back(tmp_path: Path, tiny_base: Path) -> None:
    """A file in its place stands for a disk that is gone; the update waits, and then is made."""
    with Learner(write_config(tmp_path, tiny_base, updates=NOOP)) as daemon:
        jobs = tmp_path / "artifacts" / "jobs"
        jobs.parent.mkdir(exist_ok=True)
        jobs.touch()
        daemon.give("first")
        daemon.comes(lambda: daemon.logged("scheduler step failed"), "the trouble to be said")
        (line,) = daemon.logged("scheduler step failed")
        assert (line["part"], line["level"]) == ("first", "error")
        assert str(jobs) in line["reason"]
        assert "look at its disk and its rights" in line["reason"]
        assert daemon.status()["ready"]
        jobs.unlink()
        daemon.comes(lambda: daemon.promoted("first") == 1, "the update to be made")
        assert "Traceback" not in daemon.log()


# -- the model


def test_a_base_of_another_architecture(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="its table says what can be trained")
    base = _any_base(tmp_path, architectures=["BertForMaskedLM"], model_type="bert")
    config = write_yaml(tmp_path, {"model": {"base": "./base"}})
    line = told(tmp_path, "--config", config, code=3)
    assert f"The model folder {base} holds BertForMaskedLM, which is no causal language model" in line
    assert "set model.base to one whose config.json names a ...ForCausalLM" in line
    assert "holds BertForMaskedLM" in _words(_doctor(tmp_path), "base model", "fail")


@pytest.mark.train
@pytest.mark.timeout(1500)
def test_a_base_that_cannot_be_loaded_is_said_by_its_service(tmp_path: Path, tiny_base: Path) -> None:
    base = shutil.copytree(tiny_base, tmp_path / "base")
    (base / "model.safetensors").write_text("cut off")
    with Learner(write_config(tmp_path, base, updates=NOOP)) as daemon:
        daemon.comes(lambda: "cannot be loaded" in daemon.status()["services"]["engine"], "the engine to say why")
        assert f"The base at {base} cannot be loaded" in daemon.status()["services"]["engine"]
        assert daemon.client.post("/v1/events", json=wire("kept", task="first")).json()["stored"] == 1


@pytest.mark.train
@pytest.mark.timeout(1500)
def test_a_worker_that_is_killed_is_tried_again(tmp_path: Path, tiny_base: Path) -> None:
    with Learner(write_config(tmp_path, tiny_base, updates=NOOP)) as daemon:
        daemon.give("first")
        daemon.comes(lambda: _workers(daemon), "a worker")
        for worker in _workers(daemon):
            worker.send_signal(signal.SIGKILL)
        daemon.comes(lambda: daemon.promoted("first") == 1, "another attempt to end well")
        (line,) = daemon.logged("training attempt lost")
        assert (line["reason"], line["attempt"]) == ("killed by SIGKILL", 1)
        update = daemon.updates("first")[-1]
        assert [job["state"] for job in update["jobs"]] == ["failed", "done"]
        assert update["attempts"] == 1


def _workers(daemon: Learner) -> list[psutil.Process]:
    """Processes that lead a session, as workers and services do, and write in a job's directory."""
    jobs = str(daemon.config.parent / "artifacts" / "jobs")
    found = []
    for process in psutil.Process(daemon.process.pid).children(recursive=True):
        try:
            out = os.readlink(f"/proc/{process.pid}/fd/1")
        except OSError:
            continue
        if out.startswith(jobs):
            found.append(process)
    return found


# -- doctor


def test_doctor_of_a_good_day(tmp_path: Path) -> None:
    with Daemon(write_yaml(tmp_path, {})) as daemon:
        found = _doctor(tmp_path, "--set", "model.base=none")
        assert _words(found, "daemon", "ok").startswith("runs at 127.0.0.1:")
        assert _words(found, "store", "ok").endswith(f"schema {HEAD}")
        assert _words(found, "artifacts", "ok")
        assert _words(found, "import names", "ok")
        assert daemon.status()["ready"]


def test_doctor_says_what_to_mend(tmp_path: Path) -> None:
    broker = f"127.0.0.1:{free_port()}"
    config = {"sources": [{"type": "kafka", "bootstrap_servers": [broker], "topics": ["t"]}], "model": {"base": "./no"}}
    write_yaml(tmp_path, {**config, "storage": {"url": "sqlite:///file/adaptd.db", "artifacts": "file/artifacts"}})
    (tmp_path / "file").touch()
    found = _doctor(tmp_path)
    assert found["exit_code"] == 3
    assert "file is a file" in _words(found, "store", "fail")
    assert "file is a file" in _words(found, "artifacts", "fail")
    assert "There is no model folder" in _words(found, "base model", "fail")
    assert f"no connection to {broker}" in _words(found, "source kafka", "fail")


def test_doctor_of_a_broken_config_says_every_fault(tmp_path: Path) -> None:
    (tmp_path / "adaptd.yaml").write_text("batchng: {}\nbatching: {min: few}\n")
    found = _doctor(tmp_path)
    assert found["exit_code"] == 3
    assert [check["words"].partition(": ")[0] for check in found["checks"] if check["name"] == "config"] == [
        "adaptd.yaml:1",
        "adaptd.yaml:2",
    ]


def test_doctor_without_the_training_libraries(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(NOT_INSTALLED)
    write_yaml(tmp_path, {})
    found = _doctor(tmp_path, environ={"PYTHONPATH": str(hidden)})
    assert "pip install 'adaptd[train]'" in _words(found, "training", "warn")


def test_another_owner_of_an_import_name_stops_the_start(tmp_path: Path) -> None:
    """What pip leaves of python-daemon, as far as anybody looks."""
    left = tmp_path / "site" / "python_daemon-3.1.0.dist-info"
    left.mkdir(parents=True)
    (left / "METADATA").write_text("Metadata-Version: 2.1\nName: python-daemon\nVersion: 3.1.0\n")
    (left / "RECORD").write_text("daemon/__init__.py,,\ndaemon/daemon.py,,\n")
    environ = {"PYTHONPATH": str(left.parent)}
    line = told(tmp_path, *light(tmp_path), code=3, environ=environ)
    assert line.startswith("adaptd: python-daemon installs modules under daemon too")
    assert "pip uninstall python-daemon" in line
    assert "python-daemon installs modules" in _words(_doctor(tmp_path, environ=environ), "import names", "fail")


def _doctor(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> dict[str, Any]:
    done = adaptd("doctor", "--json", *arguments, cwd=folder, environ=environ)
    assert "Traceback" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == found["exit_code"]
    return found


def _words(found: dict[str, Any], name: str, state: str) -> str:
    (check,) = [check for check in found["checks"] if check["name"] == name]
    assert check["state"] == state, check
    return str(check["words"])
