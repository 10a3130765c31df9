"""A learner is switched for one task while events flow and an update trains: by an editor, by `adaptd learners`, by a
cluster's swap of a link. A broken edit changes nothing and is said wherever an operator looks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.daemon.cli.learning import Learner, write_config
from tests.daemon.daemons import adaptd

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(1500)]


def renamed_over(config: Path, text: str) -> None:
    """As editors save."""
    beside = config.with_name("adaptd.yaml~")
    beside.write_text(text)
    beside.rename(config)


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def in_force(daemon: Learner) -> tuple[bool, bool]:
    first, second = (bool(daemon.task(task)["learners"]["curriculum"]) for task in ("first", "second"))
    return first, second


def learns(daemon: Learner, task: str, *, curriculum: bool) -> None:
    """The next update of the task says so, and was trained so."""
    before = daemon.promoted(task)
    daemon.give(task)
    daemon.comes(lambda: daemon.promoted(task) > before, f"an update of {task}")
    report = daemon.updates(task)[-1]["report"]
    assert report["learners"]["curriculum"] is curriculum
    assert bool(report["training"]["phases"][0]["notes"]) is curriculum  # the stages of easy, medium and hard


def test_a_learner_is_switched_while_the_daemon_works(tmp_path: Path, tiny_base: Path) -> None:
    config = write_config(tmp_path, tiny_base)
    text = config.read_text()
    with Learner(config) as daemon:
        daemon.give("first")
        daemon.comes(lambda: daemon.training("first") or daemon.promoted("first"), "the first update to train")
        _an_edit_is_for_the_next_update(daemon, config, text)
        _a_broken_edit_changes_nothing(daemon, config)
        _the_command_line_keeps_comments(daemon, config, text)


def _an_edit_is_for_the_next_update(daemon: Learner, config: Path, text: str) -> None:
    """The update that trains keeps what it began with."""
    line = "    gate: {enabled: false}\n"
    renamed_over(config, text.replace(line, line + "    learners: {curriculum: false}   # by hand\n", 1))
    daemon.comes(lambda: in_force(daemon) == (False, True), "the edit to be in force")
    daemon.comes(lambda: daemon.promoted("first"), "the first update to end")
    assert daemon.updates("first")[0]["report"]["learners"]["curriculum"] is True
    learns(daemon, "first", curriculum=False)
    learns(daemon, "second", curriculum=True)
    assert daemon.logged("config reloaded")[-1]["changed"] == ["tasks.first.learners.curriculum"]


def _a_broken_edit_changes_nothing(daemon: Learner, config: Path) -> None:
    good = config.read_text()
    renamed_over(config, good.replace("curriculum: true", "curiculum: true"))
    daemon.comes(lambda: daemon.status()["config"]["reloads_failed"], "the broken edit to be said")
    status = daemon.status()["config"]
    assert "learners.curiculum: unknown key; did you mean `curriculum`?" in status["last_reload"]
    assert in_force(daemon) == (False, True)
    assert "adaptd_config_last_reload_success 0.0" in daemon.client.get("/metrics").text
    (line,) = daemon.logged("config not reloaded; the one in force stays")
    assert line["reason"] == status["last_reload"]
    shown = adaptd("status", cwd=config.parent)
    assert "config   not reloaded: " in shown.stdout
    renamed_over(config, good)
    daemon.comes(lambda: daemon.status()["config"]["last_reload"] == "ok", "the mended file to be taken")


def _the_command_line_keeps_comments(daemon: Learner, config: Path, text: str) -> None:
    done = adaptd("learners", "enable", "curriculum", "--task", "first", cwd=config.parent)
    assert done.returncode == 0, done.stderr
    daemon.comes(lambda: in_force(daemon) == (True, True), "the command to be in force")
    done = adaptd("learners", "disable", "curriculum", "--task", "second", cwd=config.parent)
    assert done.returncode == 0, done.stderr
    daemon.comes(lambda: in_force(daemon) == (True, False), "the command to be in force")
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in config.read_text().splitlines() if "#" in line] == [
        *comments,
        " by hand",
    ]
    listed = json.loads(adaptd("learners", "list", "--json", cwd=config.parent).stdout)
    assert {(one["task"], one["on"], one["in_force"]) for one in listed if one["learner"] == "curriculum"} == {
        ("first", True, True),
        ("second", False, False),
    }
    learns(daemon, "second", curriculum=False)


def test_a_config_map_swap_is_for_the_next_update(tmp_path: Path, tiny_base: Path) -> None:
    text = write_config(tmp_path, tiny_base).read_text()
    mount = tmp_path / "mount"
    config = mount / "adaptd.yaml"

    def publish(version: str, content: str) -> None:
        (mount / version).mkdir(parents=True)
        (mount / version / "adaptd.yaml").write_text(content)
        (mount / "..data_tmp").symlink_to(version)
        (mount / "..data_tmp").rename(mount / "..data")

    publish("..1", text)
    config.symlink_to("..data/adaptd.yaml")
    with Learner(config) as daemon:
        daemon.give("second", 2)
        publish("..2", text.replace("  second: {", "  second: {learners: {curriculum: false}, "))
        daemon.comes(lambda: in_force(daemon) == (True, False), "the swap to be in force")
        learns(daemon, "second", curriculum=False)
