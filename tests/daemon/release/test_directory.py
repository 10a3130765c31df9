"""Champions as folders: whole, current, and nothing of anybody else's touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.release.directory import DirectoryTarget
from tests.daemon.release.wanted import FILES, wanted


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "released"


@pytest.fixture
def target(out: Path) -> Iterator[DirectoryTarget]:
    target = DirectoryTarget(out, keep=1)
    yield target
    target.close()


def test_the_champions_files_are_behind_the_current_link(target: DirectoryTarget, out: Path, tmp_path: Path) -> None:
    (outcome,) = target.reconcile([wanted(tmp_path, 1)])
    assert (outcome.state, outcome.reason) == ("serving", f"{out}/erd/current")
    assert (out / "erd/current").is_symlink()
    assert {name: (out / "erd/current" / name).read_text() for name in FILES} == {n: f"erd 1 {n}" for n in FILES}
    assert json.loads((out / "erd/champion.json").read_text())["adapter"] == "erd@v1"


def test_a_new_champion_moves_the_link_and_the_former_stays(target: DirectoryTarget, out: Path, tmp_path: Path) -> None:
    for version in (1, 2):
        target.reconcile([wanted(tmp_path, version)])
    assert (out / "erd/current/adapter_config.json").read_text().startswith("erd 2")
    assert len([f for f in (out / "erd").iterdir() if f.is_dir() and not f.is_symlink()]) == 2


def test_formers_beyond_the_kept_ones_go_and_other_peoples_folders_stay(
    target: DirectoryTarget, out: Path, tmp_path: Path
) -> None:
    (out / "erd" / "mine").mkdir(parents=True)
    for version in (1, 2, 3):
        target.reconcile([wanted(tmp_path, version)])
        os.utime((out / "erd/current").resolve(), (version, version))
    names = sorted(f.name.rpartition("-")[0] or f.name for f in (out / "erd").iterdir() if f.is_dir())
    assert names == ["current", "erd-v2", "erd-v3", "mine"]


def test_rolling_back_to_the_base_takes_the_link_away(target: DirectoryTarget, out: Path, tmp_path: Path) -> None:
    target.reconcile([wanted(tmp_path, 1)])
    (outcome,) = target.reconcile([wanted(tmp_path, 0)])
    assert outcome.state == "serving"
    assert not (out / "erd/current").exists()
    said = json.loads((out / "erd/champion.json").read_text())
    assert (said["adapter"], said["folder"]) == ("erd@v0", None)


def test_a_task_is_released_into_a_folder_by_one_daemon_at_a_time(
    target: DirectoryTarget, out: Path, tmp_path: Path
) -> None:
    target.reconcile([wanted(tmp_path, 1)])
    other = DirectoryTarget(out, keep=1)
    here, elsewhere = other.reconcile([wanted(tmp_path, 2), wanted(tmp_path, 1, task="mail")])
    assert (here.state, elsewhere.state) == ("failed", "serving")
    assert f"release.directory.path: {out}/erd is in use by process {os.getpid()}" in here.reason
    assert json.loads((out / "erd/champion.json").read_text())["adapter"] == "erd@v1"
    target.close()
    assert other.reconcile([wanted(tmp_path, 2)])[0].state == "serving"
    other.close()


def test_files_that_are_not_the_registrys_are_not_released(target: DirectoryTarget, out: Path, tmp_path: Path) -> None:
    target.reconcile([wanted(tmp_path, 1)])
    second = wanted(tmp_path, 2)
    assert second.path is not None
    (second.path / FILES[1]).write_text("half")
    (outcome,) = target.reconcile([second])
    assert (outcome.state, "is not what was published" in outcome.reason) == ("failed", True)
    assert (out / "erd/current/adapter_config.json").read_text().startswith("erd 1")


def test_half_a_copy_of_a_killed_daemon_is_swept_and_done_again(
    target: DirectoryTarget, out: Path, tmp_path: Path
) -> None:
    one = wanted(tmp_path, 1)
    target.reconcile([one])
    folder = (out / "erd/current").resolve()
    (out / "erd/current").unlink()
    folder.rename(folder.with_name(f".{folder.name}.half"))
    (folder.with_name(f".{folder.name}.half") / FILES[1]).unlink()
    (outcome,) = target.reconcile([one])
    assert outcome.state == "serving"
    assert (folder / FILES[1]).is_file()
    assert not list((out / "erd").glob(".*.half"))


def test_a_place_that_cannot_be_written_is_said(out: Path, tmp_path: Path) -> None:
    out.write_text("a file, not a folder")
    (outcome,) = DirectoryTarget(out, keep=1).reconcile([wanted(tmp_path, 1)])
    assert outcome.state == "failed"
    assert "cannot be written" in outcome.reason


def test_a_second_pass_writes_nothing(target: DirectoryTarget, out: Path, tmp_path: Path) -> None:
    one = wanted(tmp_path, 1)
    target.reconcile([one])
    before = {path: path.lstat().st_mtime_ns for path in out.rglob("*")}
    target.reconcile([one])
    assert {path: path.lstat().st_mtime_ns for path in out.rglob("*")} == before
