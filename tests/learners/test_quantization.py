"""Training over a base in 4 bits is refused, with what is missing, where it cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import Config
from daemon.doctor.model import check_model
from learners import quantization
from learners.quantization import NoQuantization, check_quantization


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quantization, "DRIVERS", (tmp_path / "no driver",))


def test_without_a_gpu_it_says_so_and_what_to_do() -> None:
    with pytest.raises(NoQuantization, match=r"needs an NVIDIA GPU.*set it to none"):
        check_quantization("4bit")
    check_quantization("none")


def test_with_a_gpu_the_library_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quantization, "DRIVERS", (tmp_path / "no driver", tmp_path))
    monkeypatch.setattr(quantization, "LIBRARY", "no_such_library")
    with pytest.raises(NoQuantization, match=r"needs no_such_library.*adaptd\[qlora\]"):
        check_quantization("4bit")
    monkeypatch.setattr(quantization, "LIBRARY", "json")
    check_quantization("4bit")


def test_doctor_says_it_before_a_start_does(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    (found,) = check_model(Config.model_validate({"model": {"base": str(tmp_path), "quantization": "4bit"}}))
    assert found.state == "fail"
    assert "NVIDIA GPU" in found.words
