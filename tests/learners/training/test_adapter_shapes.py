"""rsLoRA and DoRA: they train, and the local engine answers with them as they were trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from learners.engines.wire import BadRequest
from learners.job import Lora, Model, Phase, TrainResult
from learners.job_files import read_result
from learners.training.worker import perform
from storage.records import Message
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [pytest.mark.train, pytest.mark.slow]
SETTINGS = {"learning_rate": 0.02, "steps": 5, "batch_size": 4}


def trained(directory: Path, base: Path, lora: Lora) -> TrainResult:
    """In both phases, since the second copies the adapter as its reference."""
    rows = [*(row(number) for number in range(6)), *(pair(number) for number in range(20, 26))]
    phases = (Phase(method="sft", settings=SETTINGS, rows=6), Phase(method="dpo", settings=SETTINGS))
    make_job(directory, base, rows, phases=phases, model=Model(max_context=256, lora=lora))
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    assert result.outcome == "trained", result.reason
    return result


def test_the_engine_answers_as_it_was_trained_and_refuses_what_does_not_fit_together(
    tmp_path: Path, tiny_base: Path
) -> None:
    from learners.engines.local.model import Model as Engine
    from learners.engines.local.model import ModelLimits

    plain = trained(tmp_path / "plain", tiny_base, Lora(rank=4, alpha=8))
    shaped = trained(tmp_path / "shaped", tiny_base, Lora(rank=4, alpha=8, rslora=True, dora=True))
    config = tmp_path / "shaped" / "adapter" / "adapter_config.json"
    told = json.loads(config.read_text())
    assert (told["use_rslora"], told["use_dora"]) == (True, True)
    engine = Engine(tiny_base, ModelLimits())
    for name in ("plain", "shaped"):
        engine.load(name, tmp_path / name / "adapter")
    for name, result in (("shaped", shaped), ("plain", plain)):
        texts = [((Message("user", probe.prompt),), probe.completion) for probe in result.probes]
        for read, probe in zip(engine.score(name, texts), result.probes, strict=True):
            assert read is not None
            assert read.nll == pytest.approx(probe.nll, rel=1e-4)
    engine.unload("shaped")
    config.write_text(json.dumps({**told, "use_dora": False}))
    with pytest.raises(BadRequest, match="disagree on DoRA"):
        engine.load("shaped", config.parent)
