"""An adapter's folder appears whole or not at all, never changes, and says when it has been damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.errors import ArtifactCorrupt, ArtifactRefused
from storage.records import Adapter
from tests.storage.makers import NOW


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "adapter_config.json").write_text("{}")
    return folder


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def published(artifacts: Artifacts, source: Path, name: str = "erd@v4") -> Adapter:
    directory, files = artifacts.publish(name, source, {"seed": 7})
    return Adapter(name, "erd", 4, "base", None, None, NOW, "candidate", directory=directory, files=files)


def visible(artifacts: Artifacts) -> list[Path]:
    return [path for path in artifacts.root.glob("*/*") if not path.parent.name.startswith(".")]


def test_what_is_published_can_be_verified_and_names_itself(artifacts: Artifacts, source: Path) -> None:
    adapter = published(artifacts, source)
    artifacts.verify(adapter)
    folder = artifacts.path_of(adapter)
    assert folder is not None
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest == {"name": "erd@v4", "seed": 7, "files": adapter.files}
    assert sorted(adapter.files) == ["adapter_config.json", "adapter_model.safetensors"]


def test_publishing_again_finds_itself_and_other_content_lies_beside_it(artifacts: Artifacts, source: Path) -> None:
    first = published(artifacts, source)
    assert published(artifacts, source) == first
    assert len(visible(artifacts)) == 1
    (source / "adapter_config.json").write_text('{"r": 8}')
    second = published(artifacts, source)
    assert second.directory != first.directory
    artifacts.verify(first)
    artifacts.verify(second)


def test_a_crash_before_the_manifest_leaves_nothing_visible(
    artifacts: Artifacts, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Artifacts, "_seal", crash)
        patched.setattr("storage.artifacts.shutil.rmtree", lambda *_, **__: None)  # a crash cleans nothing
        with pytest.raises(KeyboardInterrupt):
            artifacts.publish("erd@v4", source, {})
    assert visible(artifacts) == []
    assert len(list((artifacts.root / ".incoming").iterdir())) == 1
    assert artifacts.sweep() == 1
    assert list((artifacts.root / ".incoming").iterdir()) == []
    artifacts.verify(published(artifacts, source))


def test_a_failure_cleans_up_after_itself(artifacts: Artifacts, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.artifacts.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        artifacts.publish("erd@v4", source, {})
    assert visible(artifacts) == []
    assert artifacts.sweep() == 0


def test_a_changed_byte_is_found(artifacts: Artifacts, source: Path) -> None:
    adapter = published(artifacts, source)
    folder = artifacts.path_of(adapter)
    assert folder is not None
    path = folder / "adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactCorrupt, match=r"adapter_model\.safetensors is not what was published.*rollback erd"):
        artifacts.verify(adapter)


def test_a_missing_file_is_found(artifacts: Artifacts, source: Path) -> None:
    adapter = published(artifacts, source)
    folder = artifacts.path_of(adapter)
    assert folder is not None
    (folder / "adapter_config.json").unlink()
    with pytest.raises(ArtifactCorrupt, match="is missing"):
        artifacts.verify(adapter)


def test_the_bare_base_has_no_files_and_is_always_whole(artifacts: Artifacts) -> None:
    base = Adapter("erd@v0", "erd", 0, "base", None, None, NOW, "champion")
    artifacts.verify(base)
    assert artifacts.path_of(base) is None


@pytest.mark.parametrize("task", ["erd/acme", "../../outside", "..", ".incoming", "erd"])
def test_no_name_of_a_task_leads_out_of_the_folder(artifacts: Artifacts, source: Path, task: str) -> None:
    directory, _ = artifacts.publish(f"{task}@v1", source, {})
    folder = (artifacts.root / directory).resolve()
    assert folder.parent.parent == artifacts.root
    assert (folder / "manifest.json").is_file()
    artifacts.sweep()
    assert folder.is_dir()


@pytest.mark.parametrize("bad", ["pytorch_model.bin", "optimizer.pt", "run.py", "manifest.json"])
def test_files_that_could_run_code_or_pose_as_the_manifest_are_refused(
    artifacts: Artifacts, source: Path, bad: str
) -> None:
    (source / bad).write_bytes(b"x")
    with pytest.raises(ArtifactRefused, match=bad):
        artifacts.publish("erd@v4", source, {})
    assert visible(artifacts) == []


def test_links_folders_and_nothing_are_refused(artifacts: Artifacts, source: Path, tmp_path: Path) -> None:
    (source / "link.json").symlink_to("/etc/hostname")
    with pytest.raises(ArtifactRefused, match=r"link\.json"):
        artifacts.publish("erd@v4", source, {})
    (source / "link.json").unlink()
    (source / "ref").mkdir()
    with pytest.raises(ArtifactRefused, match="ref"):
        artifacts.publish("erd@v4", source, {})
    with pytest.raises(ArtifactRefused, match="nothing"):
        artifacts.publish("erd@v4", tmp_path / "absent", {})
