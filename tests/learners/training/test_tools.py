"""What hooks may ask of the model, and that it leaves no trace."""

from pathlib import Path
from typing import Any

import pytest

from learners.job import Lora, Model, ValidatorChoice
from storage.records import Message
from tests.learners.training.tiny import make_job, row

pytestmark = pytest.mark.train

ROWS = [row(at) for at in range(9)]


def make_tools(tiny_base: Path, folder: Path, **changes: Any) -> Any:
    pytest.importorskip("trl")
    from learners.methods.sft import SftSettings
    from learners.training.adapters import load_model, load_tokenizer
    from learners.training.tools import ModelTools

    job = make_job(folder / "job", tiny_base, ROWS, **changes)
    settings = SftSettings(learning_rate=0.02, batch_size=4)
    return ModelTools(load_model(job), load_tokenizer(job.base.path), job, settings)


@pytest.fixture(scope="module")
def tools(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_tools(tiny_base, tmp_path_factory.mktemp("tools"))


def test_the_loss_is_in_nats_a_token_and_near_that_of_guessing_for_a_random_model(tools: Any) -> None:
    from math import log

    losses = tools.loss(ROWS)
    assert all(abs(each - log(262)) < 1 for each in losses)


def test_a_row_has_the_same_loss_alone_as_among_others(tools: Any) -> None:
    rows = [row(1), row(2, completion="a much longer answer than the other one")]
    together = tools.loss(rows)
    assert [tools.loss([one])[0] for one in rows] == pytest.approx(together, abs=1e-4)


def test_a_row_that_does_not_fit_counts_as_infinitely_hard(tools: Any) -> None:
    losses = tools.loss([row(1), row(2, completion="x" * 400)])
    assert losses[1] == float("inf")
    assert tools.probe_loss([row(2, completion="x" * 400)], 2) == [float("inf")]


def test_a_probe_makes_rows_likelier_and_is_undone(tools: Any) -> None:
    import torch

    before, state = tools.loss(ROWS), torch.random.get_rng_state()
    probed = tools.probe_loss(ROWS, 10)
    assert sum(probed) < sum(before) - 1
    assert tools.loss(ROWS) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert tools.probe_loss(ROWS, 10) == probed


def prompts(count: int) -> list[tuple[Message, ...]]:
    return [row(at).messages for at in range(count)]


def test_answers_are_drawn_again_the_same_only_by_a_fresh_pair_of_hands(tools: Any) -> None:
    greedy = tools.answers(prompts(2), 1, 0.0)
    assert tools.answers(prompts(2), 1, 0.0) == greedy
    drawn = tools.answers(prompts(2), 3, 1.0)
    assert [len(each) for each in drawn] == [3, 3]
    assert len({one.text for each in drawn for one in each}) == 6
    assert tools.answers(prompts(2), 3, 1.0) != drawn


def test_an_answer_that_met_its_limit_is_not_whole_and_a_prompt_without_room_gets_none(tools: Any) -> None:
    long = (Message("user", "x" * 400),)
    (too_long,), (fits,) = tools.answers([long, prompts(1)[0]], 1, 1.0)
    assert (too_long.text, too_long.whole) == ("", False)
    assert fits.text


def test_when_time_is_up_answers_are_cut(tiny_base: Path, tmp_path: Path) -> None:
    hasty = make_tools(tiny_base, tmp_path, time_limit_s=1e-9)
    assert all(not one.whole for each in hasty.answers(prompts(2), 2, 0.0) for one in each)


def make_champion(tiny_base: Path, folder: Path) -> Any:
    """Another policy than the base, published in `folder`/adapter; the tools that ask it where it is the model."""
    import torch

    from learners.training.adapters import weights_of, write_adapter

    champion = make_tools(tiny_base, folder / "a")
    with torch.no_grad():
        for weight in weights_of(champion._model):
            champion._model.get_parameter(weight).normal_(0, 0.3, generator=torch.Generator().manual_seed(5))
    write_adapter(champion._model, folder)
    return champion


def test_a_loss_is_the_champions_although_training_starts_from_the_base(tiny_base: Path, tmp_path: Path) -> None:
    import torch

    from learners.training.adapters import weights_of

    champion, from_base = make_champion(tiny_base, tmp_path), make_tools(tiny_base, tmp_path / "b")
    told = make_tools(tiny_base, tmp_path / "c", champion_path=str(tmp_path / "adapter"))
    before, state = weights_of(told._model), torch.random.get_rng_state()
    assert told.loss(ROWS) == champion.loss(ROWS) != from_base.loss(ROWS)
    assert told.probe_loss(ROWS, 3) == from_base.probe_loss(ROWS, 3), "a curriculum is of the training at hand"
    assert told.probe_loss(ROWS, 3, champion=True) == champion.probe_loss(ROWS, 3)
    assert all(torch.equal(weight, before[name]) for name, weight in weights_of(told._model).items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_a_champion_a_loss_is_that_of_the_base_to_the_bit(tools: Any) -> None:
    assert tools.loss(ROWS) == tools._losses(ROWS, tools._encoded(ROWS))
    assert tools.probe_loss(ROWS, 3, champion=True) == tools.probe_loss(ROWS, 3)


def test_the_champions_weights_are_read_once(tiny_base: Path, tmp_path: Path) -> None:
    make_champion(tiny_base, tmp_path)
    told = make_tools(tiny_base, tmp_path / "c", champion_path=str(tmp_path / "adapter"))
    first = told.loss(ROWS)
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    assert told.loss(ROWS) == first


def test_the_champion_answers_although_training_starts_from_the_base(tiny_base: Path, tmp_path: Path) -> None:
    import torch

    from learners.training.adapters import weights_of

    champion = make_champion(tiny_base, tmp_path)
    said = champion.answers(prompts(3), 1, 0.0)
    from_base = make_tools(tiny_base, tmp_path / "b")
    assert from_base.answers(prompts(3), 1, 0.0) != said
    before = weights_of(from_base._model)
    told = make_tools(tiny_base, tmp_path / "c", champion_path=str(tmp_path / "adapter"))
    assert told.answers(prompts(3), 1, 0.0) == said
    assert all(torch.equal(weight, before[name]) for name, weight in weights_of(told._model).items())
    assert told.notes == ()


def test_the_weights_of_a_dora_champion_are_those_that_were_published(tiny_base: Path, tmp_path: Path) -> None:
    import torch

    from learners.training.adapters import read_weights, weights_of, write_adapter

    lora = Lora(rank=4, alpha=8, dropout=0.0, dora=True)
    model = make_tools(tiny_base, tmp_path, model=Model(max_context=256, lora=lora))._model
    write_adapter(model, tmp_path)
    own, read = weights_of(model), read_weights(model, tmp_path / "adapter")
    assert any("magnitude" in name for name in own)
    assert all(torch.equal(weight, read[name]) for name, weight in own.items())


@pytest.mark.parametrize("lora", [Lora(rank=4, alpha=8, rslora=True), Lora(rank=4, alpha=16)])
def test_a_champion_of_another_scale_answers_as_it_does_in_its_own(tiny_base: Path, tmp_path: Path, lora: Lora) -> None:
    champion = make_champion(tiny_base, tmp_path)
    model = Model(max_context=256, lora=lora.model_copy(update={"dropout": 0.0}))
    told = make_tools(tiny_base, tmp_path / "c", champion_path=str(tmp_path / "adapter"), model=model)
    assert told.loss(ROWS) == pytest.approx(champion.loss(ROWS), rel=1e-5)
    assert told.notes == ()


def test_a_champion_of_another_shape_does_not_cost_the_update(tiny_base: Path, tmp_path: Path) -> None:
    lost = make_tools(tiny_base, tmp_path, champion_path=str(tmp_path / "nowhere"))
    assert lost.answers(prompts(1), 1, 0.0)
    assert len(lost.loss(ROWS)) == len(ROWS)
    assert "cannot be read" in lost.notes[0]


def test_the_tasks_validator_judges_an_answer_to_the_last_question(tiny_base: Path, tmp_path: Path, tools: Any) -> None:
    judging = make_tools(tiny_base, tmp_path, validator=ValidatorChoice(name="mermaid_erd"))
    asked = (Message("user", "entities: Dog."), Message("assistant", "?"), Message("user", "entities: Cat."))
    assert judging.validate(asked, "erDiagram\n  Cat {\n    int id PK\n  }").checks["entities"]
    assert tools.validate(asked, "anything") is None


def test_texts_are_embedded_by_the_model_that_the_job_names_and_no_chance_is_used(
    tiny_base: Path, tmp_path: Path
) -> None:
    import torch

    from learners.errors import EmbeddingsMissing
    from learners.job import Embeddings

    named = make_tools(tiny_base, tmp_path / "a", embeddings=Embeddings(model="ngrams"))
    other = make_tools(tiny_base, tmp_path / "b", embeddings=Embeddings(model=str(tiny_base)))
    state = torch.random.get_rng_state()
    assert named.embed(["a b", "a b"]).shape[0] == 2
    with pytest.raises(EmbeddingsMissing, match=r"no modules\.json"):
        other.embed(["a"])
    assert torch.equal(torch.random.get_rng_state(), state)
