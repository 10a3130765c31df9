"""The method that learns nothing: an adapter of a stated size, the same for the same seed, that can be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from learners.job import TrainResult
from learners.job_files import read_plan, read_result
from learners.training.worker import perform
from tests.learners.training.tiny import make_job, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


def noop(directory: Path, base: Path, *, seed: int = 7, **settings: object) -> TrainResult:
    make_job(directory, base, [row(0), row(1)], method="noop", settings=settings, seed=seed)
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    return result


def test_its_size_is_about_what_was_asked(tmp_path: Path, tiny_base: Path) -> None:
    result = noop(tmp_path / "job", tiny_base, size="40KiB", steps=3)
    assert result.size_bytes == pytest.approx(40 * 1024, rel=0.1)
    assert [step.rows for step in read_plan(tmp_path / "job")] == [(0,), (1,), (0,)]


def test_the_seed_decides_every_byte(tmp_path: Path, tiny_base: Path) -> None:
    first, again = noop(tmp_path / "a", tiny_base), noop(tmp_path / "b", tiny_base)
    other = noop(tmp_path / "c", tiny_base, seed=8)
    assert first.files == again.files
    assert first.files["adapter_model.safetensors"] != other.files["adapter_model.safetensors"]


def test_it_can_be_loaded_onto_the_base(tmp_path: Path, tiny_base: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    noop(tmp_path / "job", tiny_base)
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(tiny_base), str(tmp_path / "job" / "adapter")
    )
    ids = torch.tensor([[6, 7, 8]])
    with torch.no_grad():
        adapted = model(ids).logits
        with model.disable_adapter():
            bare = model(ids).logits
    assert not torch.equal(adapted, bare)
    assert torch.allclose(adapted, bare, atol=1e-2)


def test_it_works_on_a_base_that_it_does_not_know(tmp_path: Path) -> None:
    base = tmp_path / "odd"
    base.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (base / name).write_text("{}")
    (base / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert noop(tmp_path / "job", base, size="1KiB").size_bytes == pytest.approx(1024, abs=700)
