"""`adaptd learners`: the file is edited as a careful person would, or not at all, and then it is said why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from daemon.actions.init import template
from daemon.actions.learners import Switched, list_learners, switch_learner
from daemon.config_edit import with_key
from daemon.errors import ConfigError, Denied, NotFound
from daemon.reload import ConfigSource
from tests.daemon.daemons import PATIENCE_S, adaptd, command, environment

TEXT = """\
# Ours.
batching: {min: 20}          # not too few
learners: {curriculum: true}   # for all

tasks:
    # four spaces, and an odd one
    erd: {validator: mermaid_erd}  # diagrams
    reply:
        gate: {alpha: 0.01}

    bare:   # nothing yet
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "adaptd.yaml"
    path.write_text(TEXT)
    return path


def switch(file: Path, on: bool, task: str | None, learner: str = "curriculum") -> Switched:
    return switch_learner(ConfigSource(file, environ={}), learner, on, task)


def state(file: Path) -> dict[str, tuple[bool, str]]:
    found = list_learners(ConfigSource(file, environ={}))
    return {one.task: (one.on, one.origin.rpartition("/")[2]) for one in found if one.learner == "curriculum"}


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize("task", ["erd", "reply", "bare"])
def test_one_task_is_switched_and_nothing_else_is_touched(file: Path, task: str) -> None:
    os.chmod(file, 0o640)
    assert switch(file, False, task).changed
    text = file.read_text()
    expected = YAML(typ="safe").load(TEXT)
    expected["tasks"][task] = {**(expected["tasks"][task] or {}), "learners": {"curriculum": False}}
    assert YAML(typ="safe").load(text) == expected
    assert comments(text) == comments(TEXT)
    assert {name for name, (on, _) in state(file).items() if not on} == {task}
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(file.parent) == ["adaptd.yaml"]


def test_a_switch_back_and_forth_changes_one_line(file: Path) -> None:
    switch(file, False, "reply")
    once = file.read_text().splitlines()
    switch(file, True, "reply")
    twice = file.read_text().splitlines()
    assert [(a, b) for a, b in zip(once, twice, strict=True) if a != b] == [
        ("            curriculum: false", "            curriculum: true")
    ]


def test_what_init_writes_keeps_every_line_but_the_one() -> None:
    for users in ("one", "many"):
        text = template(users)
        edited = with_key(text, ["learners", "curriculum"], True)
        changed = [(a, b) for a, b in zip(text.splitlines(), edited.splitlines(), strict=True) if a != b]
        assert changed == [("  curriculum: false", "  curriculum: true")]


def test_the_list_says_where_each_state_comes_from(file: Path) -> None:
    switch(file, False, "erd")
    assert state(file) == {
        "erd": (False, "adaptd.yaml:7"),
        "reply": (True, "adaptd.yaml:3"),
        "bare": (True, "adaptd.yaml:3"),
    }
    source = ConfigSource(file, environ={"ADAPTD_LEARNERS__CURRICULUM": "false"})
    assert {
        (one.task, one.on, one.origin) for one in list_learners(source, "reply") if one.learner == "curriculum"
    } == {("reply", False, "ADAPTD_LEARNERS__CURRICULUM")}


def test_what_is_so_already_is_left_alone(file: Path) -> None:
    assert not switch(file, True, "erd").changed
    assert file.read_text() == TEXT


def test_a_switch_for_all_says_which_tasks_say_otherwise(file: Path) -> None:
    switch(file, False, "erd")
    switch(file, False, None)
    done = switch(file, True, None)
    assert done.notes == ("task erd says otherwise for itself (tasks.erd.learners.curriculum)",)
    assert state(file)["reply"] == (True, "adaptd.yaml:3")


def test_a_variable_over_the_file_is_said(file: Path) -> None:
    source = ConfigSource(file, environ={"ADAPTD_LEARNERS__CURRICULUM": "true"})
    done = switch_learner(source, "curriculum", False, None)
    assert done.changed
    assert done.notes == ("ADAPTD_LEARNERS__CURRICULUM lies over the file, and stays in force where it is set",)


@pytest.mark.parametrize(("learner", "task"), [("curiculum", None), ("curriculum", "erdd")])
def test_what_is_not_there_is_named_with_what_is(file: Path, learner: str, task: str | None) -> None:
    with pytest.raises(NotFound, match=r"there (are|is).*(curriculum|erd, reply, bare)"):
        switch(file, False, task, learner)


def test_a_task_under_the_star_is_not_given_a_section_that_would_hide_it(file: Path) -> None:
    file.write_text("tasks: {'*': {batching: {min: 5}}}\n")
    with pytest.raises(NotFound, match="learned under `\\*`"):
        switch(file, True, "other")
    assert switch(file, True, "*").changed


def test_an_edit_that_would_reach_another_task_is_refused(file: Path) -> None:
    text = "tasks:\n  one: &same\n    learners: {curriculum: true}\n  two: *same\n"
    file.write_text(text)
    with pytest.raises(Denied, match="under an anchor"):
        switch(file, False, "one")
    assert file.read_text() == text


def test_a_learner_that_is_a_choice_is_off_or_auto(file: Path) -> None:
    assert switch(file, False, "erd", "preference").value == "off"
    (off,) = [one for one in list_learners(ConfigSource(file, environ={}), "erd") if one.learner == "preference"]
    assert (off.on, off.value, off.origin.rpartition("/")[2]) == (False, "off", "adaptd.yaml:7")
    assert switch(file, True, "erd", "preference").value == "auto"
    assert ConfigSource(file, environ={}).load().task("erd").learners.preference == "auto"  # type: ignore[union-attr]


def test_a_broken_file_is_not_made_worse(file: Path) -> None:
    file.write_text("batching: {min: few}\n")
    with pytest.raises(ConfigError, match=r"batching\.min"):
        switch(file, False, None)
    assert file.read_text() == "batching: {min: few}\n"


def test_a_link_keeps_leading_to_its_file(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file.name)
    switch(link, False, "erd")
    assert link.is_symlink()
    assert "curriculum: false" in file.read_text()


@pytest.mark.slow
def test_a_file_that_cannot_be_written_gets_its_lines_printed(file: Path) -> None:
    """As a user who may not write there: the rights of root do not ask for the bits."""
    os.chmod(file, 0o444)
    os.chmod(file.parent, 0o555)
    try:
        done = _without_roots_rights("learners", "disable", "curriculum", "--task", "erd", cwd=file.parent)
    finally:
        os.chmod(file.parent, 0o755)
    assert done.returncode == 6, done.stderr
    assert YAML(typ="safe").load(done.stdout) == {"tasks": {"erd": {"learners": {"curriculum": False}}}}
    assert "adaptd.yaml cannot be written (Permission denied); put the lines above into it by hand" in done.stderr
    assert file.read_text() == TEXT


def _without_roots_rights(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    bare = command(*arguments)
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv (util-linux), or another user than root")
        bare = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *bare]
    return subprocess.run(bare, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S * 3)


@pytest.mark.slow
def test_the_command_says_what_it_did(file: Path) -> None:
    done = adaptd("learners", "disable", "curriculum", "--task", "erd", cwd=file.parent)
    said = "adaptd.yaml: tasks.erd.learners.curriculum is off now; a running daemon follows by itself\n"
    assert (done.returncode, done.stdout) == (0, said)
    listed = json.loads(adaptd("learners", "list", "--task", "erd", "--json", cwd=file.parent).stdout)
    (one,) = [each for each in listed if each["learner"] == "curriculum"]
    assert (one["on"], one["value"], one["origin"], one["in_force"]) == (False, False, "adaptd.yaml:7", None)
