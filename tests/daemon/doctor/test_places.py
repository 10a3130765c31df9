"""What the doctor says of the folders that a daemon writes."""

from __future__ import annotations

from pathlib import Path

from daemon.config import load
from daemon.doctor.checks import Check
from daemon.doctor.places import check_places


def released(folder: Path, path: str, targets: str = "[engine, directory]") -> list[Check]:
    (folder / "adaptd.yaml").write_text(f"release: {{targets: {targets}, directory: {{path: {path}}}}}\n")
    found = check_places(load(folder / "adaptd.yaml", environ={}))
    return [check for check in found if check.name == "release directory"]


def test_a_folder_for_champions_that_cannot_be_written_is_a_failed_check(tmp_path: Path) -> None:
    (check,) = released(tmp_path, "/proc/zz")
    assert (check.state, check.exit_code) == ("fail", 3)
    assert check.words.startswith("/proc/zz cannot be written: ")
    assert "correct release.directory.path" in check.words


def test_a_folder_for_champions_matters_only_where_it_is_a_target(tmp_path: Path) -> None:
    assert released(tmp_path, "/proc/zz", "[engine]") == []
    (check,) = released(tmp_path, "out")
    assert (check.state, (tmp_path / "out").exists()) == ("ok", False)
