"""What the doctor says of a base that lacks what the adapters are meant for."""

from __future__ import annotations

from pathlib import Path

from daemon.config import load
from daemon.doctor.model import check_model

HEADER = b'{"model.layers.0.mlp.up_proj.weight": {}}'


def test_target_modules_that_the_base_lacks_are_a_failed_check(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(len(HEADER).to_bytes(8, "little") + HEADER)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "adaptd.yaml").write_text("model: {base: ., lora: {target_modules: nothing}}\n")
    (check,) = check_model(load(tmp_path / "adaptd.yaml", environ={}))
    assert (check.name, check.state, check.exit_code) == ("base model", "fail", 3)
    assert "model.lora.target_modules: no module of" in check.words
    assert "up_proj" in check.words
