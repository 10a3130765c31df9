"""`adaptd config` and `adaptd tasks` as a user has them, and the schema that editors check the file by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from daemon.actions.config import config_schema
from daemon.actions.init import template
from tests.daemon.daemons import Daemon, adaptd

TEXT = "batching:\n  min: 30\nrewards: {settle: 10m}\ntasks: {erd: {validator: mermaid_erd, batching: {min: 25}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "adaptd.yaml").write_text(TEXT)
    return tmp_path


@pytest.mark.slow
def test_check_says_every_fault_or_that_there_is_none(folder: Path) -> None:
    good = adaptd("config", "check", cwd=folder)
    assert (good.returncode, good.stdout) == (0, "adaptd.yaml is in order: tasks erd; sources none\n")
    (folder / "adaptd.yaml").write_text("batchng: {}\nbatching: {min: few}\n")
    bad = adaptd("config", "check", cwd=folder)
    assert bad.returncode == 3
    assert [line.partition(": ")[2].split(": ")[:2] for line in bad.stderr.splitlines()] == [
        ["adaptd.yaml:1", "batchng"],
        ["adaptd.yaml:2", "batching.min"],
    ]


@pytest.mark.slow
def test_show_says_who_decides_each_setting(folder: Path) -> None:
    done = adaptd(
        *("config", "show", "--json", "--set", "gate.alpha=0.01"),
        cwd=folder,
        environ={"ADAPTD_BATCHING__MAX": "90"},
    )
    found = {one["key"]: one for one in json.loads(done.stdout)}
    said = {key: (found[key]["value"], found[key]["origin"]) for key in ("batching.min", "batching.max", "gate.alpha")}
    assert said == {
        "batching.min": (30, "adaptd.yaml:2"),
        "batching.max": (90, "ADAPTD_BATCHING__MAX"),
        "gate.alpha": (0.01, "--set gate.alpha=0.01"),
    }
    assert (found["rewards.settle"]["value"], found["rewards.midpoint"]["origin"]) == (600.0, "default")
    assert found["tasks.erd.batching.min"]["origin"] == "adaptd.yaml:4"
    assert (found["batching.min"]["live"], found["model.lora.rank"]["live"]) == (True, False)


@pytest.mark.slow
def test_tasks_are_listed_with_what_they_learn_by(daemon: Daemon) -> None:
    folder = daemon.config.parent
    assert "erd" in adaptd("tasks", cwd=folder).stdout
    assert list(json.loads(adaptd("tasks", "--json", cwd=folder).stdout)) == ["erd"]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "text",
    [
        template("many"),
        template("one"),
        template("many").replace("  # - {", "  - {").replace("  # erd:", "  erd:"),
        TEXT,
        "batching:\ntasks:\n  erd:\n",
    ],
)
def test_the_schema_takes_what_the_daemon_takes(validator: Any, text: str) -> None:
    assert [error.message for error in validator.iter_errors(YAML(typ="safe").load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "batchng: {min: 3}",
        "batching: {min: few}",
        "rewards: {settle: 3 weeks}",
        "sources: [{type: nats}]",
        "sources: [{type: http, topics: [a]}]",
        "tasks: {erd: {batching: {mn: 3}}}",
        "learners: {curriculum: maybe}",
    ],
)
def test_the_schema_refuses_what_the_daemon_refuses(validator: Any, text: str) -> None:
    assert list(validator.iter_errors(YAML(typ="safe").load(text)))
