"""Adapters come and go while the local engine runs: each answers for itself, and what cannot be loaded is refused."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from learners.engines.client import EngineClient
from learners.engines.errors import EngineRefused
from tests.learners.engines.local.asking import PROMPTS, SHORT
from tests.learners.engines.tiny import make_adapter, make_base

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_base_and_each_adapter_give_their_own_answers(client: EngineClient, adapters: dict[str, Path]) -> None:
    client.load("one", adapters["one"])
    client.load("two", adapters["two"])
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda name: client.generate(name, PROMPTS, SHORT), ["base", "one", "two"]))
    assert len({answer[0].text for answer in answers}) == 3
    assert answers[0] == client.generate("base", PROMPTS, SHORT), "the base must be bare with adapters loaded"


def test_the_base_is_as_before_when_the_last_adapter_is_gone(client: EngineClient, adapters: dict[str, Path]) -> None:
    before = client.generate("base", PROMPTS, SHORT)
    client.load("one", adapters["one"])
    client.unload("one")
    assert client.generate("base", PROMPTS, SHORT) == before


def test_models_lists_the_base_first_and_adapters_with_their_folder(
    client: EngineClient, adapters: dict[str, Path]
) -> None:
    client.load("one", adapters["one"])
    base, one = client.models()
    assert (base.name, base.parent) == ("base", None)
    assert (one.name, one.root, one.parent) == ("one", str(adapters["one"]), "base")


def test_health_says_how_many_adapters_fit(client: EngineClient) -> None:
    client.health()
    assert httpx.get(f"{client.url}/health").json()["max_adapters"] == 3


def test_loading_the_same_folder_again_is_no_error(client: EngineClient, adapters: dict[str, Path]) -> None:
    client.load("one", adapters["one"])
    client.load("one", adapters["one"])
    assert [m.name for m in client.models()] == ["base", "one"]


def test_a_name_is_immutable(client: EngineClient, adapters: dict[str, Path]) -> None:
    client.load("one", adapters["one"])
    with pytest.raises(EngineRefused, match="names are immutable; use a new name") as refused:
        client.load("one", adapters["two"])
    assert refused.value.status == 409


def test_the_bases_own_name_is_taken(client: EngineClient, adapters: dict[str, Path]) -> None:
    with pytest.raises(EngineRefused, match="base's own name"):
        client.load("base", adapters["one"])


def test_an_unloaded_adapter_is_not_found(client: EngineClient, adapters: dict[str, Path]) -> None:
    client.load("one", adapters["one"])
    client.unload("one")
    with pytest.raises(EngineRefused) as refused:
        client.generate("one", PROMPTS[:1], SHORT)
    assert refused.value.status == 404
    with pytest.raises(EngineRefused, match="not loaded"):
        client.unload("one")


def test_full_slots_say_what_to_do(client: EngineClient, adapters: dict[str, Path]) -> None:
    for name in ("a", "b", "c"):
        client.load(name, adapters["one"])
    with pytest.raises(EngineRefused, match="All 3 adapter slots are taken; unload one or raise --max-adapters"):
        client.load("d", adapters["two"])
    client.unload("b")
    client.load("d", adapters["two"])


def test_a_rank_above_the_bound_is_refused(client: EngineClient, adapters: dict[str, Path]) -> None:
    with pytest.raises(EngineRefused, match=r"rank that is not in 1\.\.8") as refused:
        client.load("big", adapters["big"])
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("no config", "has no adapter_config.json"),
        ("no weights", "has no adapter_model.safetensors"),
        ("config is not JSON", "is not readable JSON"),
        ("weights cut short", "corrupt or cut short"),
        ("weights are noise", "corrupt or cut short"),
        ("config names other layers", "name different layers"),
        ("rank of config is not that of weights", "PEFT cannot load"),
        ("modules to save", "uses modules_to_save"),
    ],
)
def test_a_damaged_adapter_is_refused_and_the_engine_goes_on(
    damage: str, reason: str, client: EngineClient, adapters: dict[str, Path], tmp_path: Path
) -> None:
    client.load("two", adapters["two"])
    before = client.generate("two", PROMPTS[:2], SHORT)
    broken = shutil.copytree(adapters["one"], tmp_path / "broken")
    spoil(broken, damage)
    with pytest.raises(EngineRefused, match=reason) as refused:
        client.load("broken", broken)
    assert refused.value.status == 400
    assert [m.name for m in client.models()] == ["base", "two"]
    assert client.generate("two", PROMPTS[:2], SHORT) == before


def spoil(folder: Path, damage: str) -> None:
    config, weights = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    described = json.loads(config.read_text())
    if damage == "no config":
        config.unlink()
    elif damage == "no weights":
        weights.unlink()
    elif damage == "config is not JSON":
        config.write_text("{")
    elif damage == "weights cut short":
        weights.write_bytes(weights.read_bytes()[:-200])
    elif damage == "weights are noise":
        weights.write_bytes(b"\xff" * 500)
    elif damage == "config names other layers":
        config.write_text(json.dumps({**described, "target_modules": ["q_proj"]}))
    elif damage == "rank of config is not that of weights":
        config.write_text(json.dumps({**described, "r": 2}))
    else:
        config.write_text(json.dumps({**described, "modules_to_save": ["lm_head"]}))


def test_an_adapter_of_another_architecture_is_refused(client: EngineClient, tmp_path: Path) -> None:
    other = make_adapter(make_base(tmp_path / "wider", hidden=48), tmp_path / "adapter", seed=1)
    with pytest.raises(EngineRefused, match="trained on another base"):
        client.load("other", other)


def test_weights_that_are_not_numbers_are_refused(
    client: EngineClient, adapters: dict[str, Path], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(adapters["one"], tmp_path / "broken")
    tensors = load_file(broken / "adapter_model.safetensors")
    tensors[sorted(tensors)[0]][0, 0] = torch.nan
    save_file(tensors, broken / "adapter_model.safetensors")
    with pytest.raises(EngineRefused, match="NaN or infinity"):
        client.load("broken", broken)
