"""The model in memory against transformers' own generate, and what random draws are worth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from learners.engines.wire import BadRequest, Sampling
from storage.records import Message
from tests.learners.engines.tiny import PEFT_READS_A_DEPRECATED_NAME

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings(PEFT_READS_A_DEPRECATED_NAME)]

PROMPTS = [(Message("user", text),) for text in ("hi", "what is the time?", "x" * 60, "draw", "a b c d e f g", "?")]


def test_batched_answers_are_those_of_transformers_generate(tiny_base: Path, adapters: dict[str, Path]) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from learners.engines.local.model import Model, ModelLimits

    model = Model(tiny_base, ModelLimits())
    model.load("one", adapters["one"])
    ours = model.generate("one", [model.prepare(prompt, Sampling(50)) for prompt in PROMPTS])
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_base))
    plain = AutoModelForCausalLM.from_pretrained(str(tiny_base), dtype=torch.float32)
    plain = PeftModel.from_pretrained(plain, str(adapters["one"]))
    for (message,), answer in zip(PROMPTS, ours, strict=True):
        ids = tokenizer(f"<user>{message.content}<|end|><assistant>", add_special_tokens=False, return_tensors="pt")
        with torch.no_grad():
            new = plain.generate(**ids, max_new_tokens=50, do_sample=False)[0, ids["input_ids"].shape[1] :]
        assert answer.text == tokenizer.decode(new, skip_special_tokens=True)
        assert answer.tokens == len(new)
        assert answer.finish_reason == ("stop" if new[-1] == tokenizer.eos_token_id else "length")
    assert {answer.finish_reason for answer in ours} == {"stop", "length"}, "rows must end at different times"


def test_an_abandoned_row_is_left_and_the_others_go_on(tiny_base: Path) -> None:
    from learners.engines.local.model import Model, ModelLimits

    model = Model(tiny_base, ModelLimits())
    prompts = [model.prepare(prompt, Sampling(30)) for prompt in PROMPTS[:3]]
    whole = model.generate(None, prompts)
    left = model.generate(None, prompts, abandoned=lambda row: row == 0)
    assert left[0].tokens == 1
    assert left[1:] == whole[1:]


def test_draws_follow_the_models_probabilities() -> None:
    import torch

    from learners.engines.local.sampling import Draws

    p = torch.tensor([0.5, 0.3, 0.15, 0.05])
    draws = Draws([Sampling(temperature=1.0, seed=seed) for seed in range(4000)])
    drawn = draws.next_tokens(p.log().repeat(4000, 1), range(4000))
    share = torch.bincount(drawn, minlength=4) / 4000
    assert torch.allclose(share, p, atol=0.03)  # four standard errors


def test_a_nucleus_leaves_the_unlikely_out_and_keeps_the_likeliest() -> None:
    import torch

    from learners.engines.local.sampling import Draws

    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log().repeat(500, 1)
    for top_p, allowed in ((0.01, {1}), (0.6, {1, 3}), (0.9, {0, 1, 3})):
        draws = Draws([Sampling(temperature=1.0, top_p=top_p, seed=seed) for seed in range(500)])
        assert set(draws.next_tokens(logits.clone(), range(500)).tolist()) == allowed


def test_a_low_temperature_is_nearly_greedy_and_zero_is_greedy() -> None:
    import torch

    from learners.engines.local.sampling import Draws

    logits = torch.tensor([[0.0, 1.0, 0.5]]).repeat(50, 1)
    for temperature in (0.0, 0.01):
        draws = Draws([Sampling(temperature=temperature, seed=seed) for seed in range(50)])
        assert set(draws.next_tokens(logits.clone(), range(50)).tolist()) == {1}


def test_an_adapter_that_peft_refuses_leaves_no_layers_behind(
    tiny_base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    from peft.tuners.lora import LoraLayer

    from learners.engines.local.model import Model, ModelLimits

    broken = shutil.copytree(adapters["one"], tmp_path / "broken")
    described = json.loads((broken / "adapter_config.json").read_text())
    (broken / "adapter_config.json").write_text(json.dumps({**described, "r": 2}))
    model = Model(tiny_base, ModelLimits())
    with pytest.raises(BadRequest, match="PEFT cannot load"):
        model.load("broken", broken)
    assert not any(isinstance(module, LoraLayer) for module in model._base.modules())
    model.load("one", adapters["one"])
    with pytest.raises(BadRequest, match="PEFT cannot load"):
        model.load("broken", broken)
    layers = [module for module in model._base.modules() if isinstance(module, LoraLayer)]
    assert {slot for layer in layers for slot in layer.lora_A} == {model.adapters["one"].slot}
