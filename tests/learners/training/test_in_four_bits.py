"""A base that is held in 4 bits, with bitsandbytes itself: by its CPU kernels where there is no GPU.

What is not tested here: that a GPU's driver and its kernels work together.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from learners import quantization
from learners.job import Lora, Model, Phase, TrainResult
from learners.job_files import read_result
from learners.training.worker import perform
from storage.records import Message
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [pytest.mark.train, pytest.mark.slow]
SETTINGS = {"learning_rate": 0.02, "steps": 5, "batch_size": 4}


@pytest.fixture(autouse=True)
def as_with_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the kernels for some CPUs that pack weights for inference at the first reading, and cannot go back."""
    monkeypatch.setattr(quantization, "DRIVERS", (tmp_path,))
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False, raising=False)


def test_the_base_is_held_in_four_bits(tiny_base: Path) -> None:
    from learners.training.adapters import base_to_train

    held = base_to_train(str(tiny_base), Model(max_context=256, quantization="4bit"))
    layer = held.model.layers[0].mlp.up_proj
    assert (type(layer).__name__, str(layer.weight.dtype)) == ("Linear4bit", "torch.uint8")
    assert layer.weight.numel() * 2 == layer.in_features * layer.out_features  # two to a byte


def test_both_phases_train_over_four_bits_and_the_engine_answers_on_the_whole_base(
    tmp_path: Path, tiny_base: Path
) -> None:
    from learners.engines.local.model import Model as Engine
    from learners.engines.local.model import ModelLimits

    rows = [*(row(number) for number in range(6)), *(pair(number) for number in range(20, 26))]
    phases = (Phase(method="sft", settings=SETTINGS, rows=6), Phase(method="dpo", settings=SETTINGS))
    model = Model(max_context=256, lora=Lora(rank=4, alpha=8), quantization="4bit")
    job = tmp_path / "job"
    make_job(job, tiny_base, rows, phases=phases, model=model)
    perform(job)
    result = read_result(job)
    assert isinstance(result, TrainResult)
    assert result.outcome == "trained", result.reason
    engine = Engine(tiny_base, ModelLimits())
    engine.load("candidate", job / "adapter")
    texts = [((Message("user", probe.prompt),), probe.completion) for probe in result.probes]
    for read, probe in zip(engine.score("candidate", texts), result.probes, strict=True):
        assert read is not None
        assert read.nll == pytest.approx(probe.nll, rel=1e-4)
