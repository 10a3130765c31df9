"""Names outside the registry: immutable, apart, and safe."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.release.names import ENGINE_NAME, engine_name, folder_name
from tests.daemon.release.wanted import wanted


def test_an_engine_name_holds_task_version_and_hash(tmp_path: Path) -> None:
    assert re.fullmatch(r"erd-v18-[0-9a-f]{8}", engine_name(wanted(tmp_path, 18).adapter))


def test_the_base_keeps_its_own_name(tmp_path: Path) -> None:
    assert engine_name(wanted(tmp_path, 0).adapter, "qwen") == "qwen"


def test_other_files_have_another_name(tmp_path: Path) -> None:
    adapter = wanted(tmp_path, 1).adapter
    assert engine_name(adapter) != engine_name(replace(adapter, files={**adapter.files, "adapter_config.json": "0"}))


def test_tasks_that_look_alike_stay_apart(tmp_path: Path) -> None:
    adapter = wanted(tmp_path, 1).adapter
    slashed, dashed = replace(adapter, task="erd/acme"), replace(adapter, task="erd-acme")
    assert engine_name(slashed) != engine_name(dashed)
    assert folder_name("erd/acme") != folder_name("erd-acme") == "erd-acme"


@pytest.mark.parametrize("task", ["..", "../..", "/", "a/../b", ".hidden", "ä ö", "x" * 300, "a\nb", ""])
def test_no_task_leaves_its_folder(task: str, tmp_path: Path) -> None:
    name = folder_name(task)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,90}", name)
    assert ENGINE_NAME.fullmatch(engine_name(replace(wanted(tmp_path, 1).adapter, task=task)))
