"""Which modules a base has is read from the headers of its weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from learners.targets import NoSuchModules, check_targets

LAYER = ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Two shards, as far as their headers go."""
    for number in (0, 1):
        names = [f"model.layers.{number}.{name}.weight" for name in LAYER]
        header = json.dumps({"__metadata__": {"format": "pt"}} | {name: {} for name in names}).encode()
        (tmp_path / f"model-{number}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"0" * 64)
    return tmp_path


@pytest.mark.parametrize("targets", ["nothing", "q_proj", "(", ["proj"], ["q", "k"], []])
def test_modules_that_the_base_does_not_have_are_refused_with_those_it_has(
    base: Path, targets: str | list[str]
) -> None:
    with pytest.raises(NoSuchModules, match=r"there are q_proj, up_proj, v_proj$"):
        check_targets(base, targets)


@pytest.mark.parametrize(
    "targets", ["all-linear", "All-Linear", ".*_proj", r"model\.layers\.1\..*", ["q_proj"], ["mlp.up_proj", "absent"]]
)
def test_modules_that_the_base_has_are_let_pass(base: Path, targets: str | list[str]) -> None:
    check_targets(base, targets)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff" * 20, b"\x02" + b"\0" * 7 + b"[]"])
def test_weights_whose_names_cannot_be_read_are_left_to_training(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    check_targets(tmp_path, "nothing")
