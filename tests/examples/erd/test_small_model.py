"""The base as a model: a training of five steps, and the real one, on which demo and benchmarks stand."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from examples.erd.base import ensure_base
from examples.erd.correct import Care, correct
from examples.erd.recipe import Recipe
from examples.erd.score import mean_score
from examples.erd.world import AFTER, BEFORE, Pool, Wish, entity_lists, good_answer, prompt_of, score_prompts

pytestmark = [
    pytest.mark.train,
    pytest.mark.timeout(1800),  # the first test on a machine trains the base
    # peft asks transformers under a name that the latter is about to drop.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]

TINY = Recipe(steps=5, batch_size=4, width=32, layers=1, heads=2, inner_width=48, warm_up_steps=2)
TEXTS = ["", "plain", "日本語 ñ 🙂\t\r\n  x", "tenant_id", "\x00\x7f", good_answer(("OrderItem", "Zürich"), AFTER)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_base(tmp_path_factory.mktemp("bases"), progress=False, recipe=TINY)


def _tokenizer(base: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def _targets(wish: Wish, count: int, seed: int, careless: int = 0) -> list[tuple[str, str]]:
    prompts = [prompt_of(entities) for entities in islice(entity_lists(Pool.EVENTS, seed), count)]
    cares = [Care.CARELESS] * careless + [Care.CAREFUL] * (count - careless)
    pairs = [(p, correct(p, "", wish, care, at)) for at, (p, care) in enumerate(zip(prompts, cares, strict=True))]
    return [(prompt, text) for prompt, text in pairs if text is not None]


def _score_after(base: Path, pairs: list[tuple[str, str]], steps: int, wish: Wish, seed: int = 0) -> float:
    from .lora import SmallModel

    model = SmallModel(base)
    if steps:
        model.learn(pairs, steps, seed)
    prompts = score_prompts()
    return mean_score(list(zip(prompts, model.answers(prompts), strict=True)), wish.required_fields)


def test_five_steps_leave_a_folder_that_loads_offline_and_generates(tiny: Path) -> None:
    from .lora import SmallModel

    model = SmallModel(tiny)
    assert len(model.answers(["Draw something."], max_tokens=4)) == 1
    assert model.model.config.max_position_embeddings >= 512
    assert not list(tiny.parent.glob("*.unfinished"))


def test_the_same_recipe_gives_the_same_weights(tiny: Path, tmp_path: Path) -> None:
    again = ensure_base(tmp_path, progress=False, recipe=TINY)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (tiny / name).read_bytes(), name


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_passes_through_the_tokenizer_unchanged(tiny: Path, text: str) -> None:
    tokenizer = _tokenizer(tiny)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_the_chat_template_marks_roles_and_ends_each_turn_in_the_stop_token(tiny: Path) -> None:
    tokenizer = _tokenizer(tiny)
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": "Ho"}], tokenize=False)
    assert prompt == "<|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>"
    assert whole == prompt + "Ho<|end|>"
    assert tokenizer(whole, add_special_tokens=False)["input_ids"][-1] == tokenizer.eos_token_id


def test_answers_are_about_57_tokens_and_a_name_is_the_same_tokens_in_prompt_and_answer(
    erd_base_dir: Path,
) -> None:
    tokenizer = _tokenizer(erd_base_dir)
    lists = list(islice(entity_lists(Pool.EVENTS, 0), 200))
    assert 45 < mean(len(tokenizer.tokenize(good_answer(entities))) for entities in lists) < 65
    assert tokenizer.tokenize(" OrderItem")[-1] in tokenizer.tokenize("\n  OrderItem {")
    assert len(tokenizer.tokenize(" tenant_id")) > 2


def test_the_real_base_scores_about_53(erd_base_dir: Path) -> None:
    assert _score_after(erd_base_dir, [], 0, BEFORE) == pytest.approx(0.53, abs=0.04)


@pytest.mark.parametrize(("wish", "rows", "careless"), [(BEFORE, 24, 0), (AFTER, 28, 0), (AFTER, 28, 5)])
def test_thirty_steps_on_a_batch_of_corrections_bring_the_real_base_over_90(
    erd_base_dir: Path, wish: Wish, rows: int, careless: int
) -> None:
    assert _score_after(erd_base_dir, _targets(wish, rows, 1, careless), 30, wish, seed=1) > 0.9


def test_what_was_learned_before_the_change_is_not_enough_after_it(erd_base_dir: Path) -> None:
    assert _score_after(erd_base_dir, _targets(BEFORE, 24, 1), 30, AFTER, seed=1) < 0.82
