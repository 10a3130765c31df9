"""The base model's folder: found, whole, hashed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from learners.base import BaseMissing, base_hash, check_base, find_base, template_hash


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "tokenizer.json").write_text("{}")
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def test_a_whole_folder_is_found_by_its_path(base: Path) -> None:
    assert find_base(str(base)) == base


@pytest.mark.parametrize(
    ("removed", "said"), [("config.json", "config"), ("model.safetensors", "weights"), ("tokenizer", "tokenizer")]
)
def test_what_a_folder_lacks_is_said(base: Path, removed: str, said: str) -> None:
    for file in base.glob(f"{removed}*"):
        file.unlink()
    with pytest.raises(BaseMissing, match=said):
        check_base(base)


def test_a_folder_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BaseMissing, match="There is no model folder"):
        check_base(tmp_path / "absent")


def test_a_downloaded_model_is_found_by_its_name(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--org--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc123")
    (repository / "snapshots").mkdir()
    base.rename(repository / "snapshots" / "abc123")
    assert find_base("org/small") == repository / "snapshots" / "abc123"


def test_a_model_that_was_not_downloaded_is_said_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BaseMissing, match="hf download org/small"):
        find_base("org/small")


def test_the_hash_changes_with_every_file_that_decides_answers_and_no_other(base: Path) -> None:
    first = base_hash(base)
    (base / "README.md").write_text("words")
    assert base_hash(base) == first
    for name in ("config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"):
        (base / name).write_bytes(b"other")
        assert base_hash(base) != first, name
        first = base_hash(base)


def test_the_template_hash_is_of_the_template_wherever_it_is_kept(base: Path) -> None:
    inside = template_hash(base)
    assert inside is not None
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert template_hash(base) == inside
    (base / "chat_template.jinja").write_text("{{ other }}")
    assert template_hash(base) != inside
    (base / "chat_template.jinja").unlink()
    (base / "tokenizer_config.json").write_text("{}")
    assert template_hash(base) is None
