"""A gate is as large as the different prompts it holds: for readiness, for what one judgement reads, for people."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.config import Config, TaskConfig
from daemon.evidence import gate_prompts, human_texts
from daemon.power import power_now
from storage.records import Example, Message, Target
from storage.store import Store
from tests.storage.makers import NOW, example, keep, later


def task(**settings: Any) -> TaskConfig:
    found = Config.model_validate({"tasks": {"erd": {"validator": {"name": "mermaid_erd"}}}, **settings}).task("erd")
    assert found is not None
    return found


def asked(number: int, prompt: int, **changes: Any) -> Example:
    words = (Message("user", f"Draw Thing{prompt}"),)
    return example(f"i{number}", messages=words, user_id=f"u{number}", users=(f"u{number}",), **changes)


def hold(store: Store, examples: list[Example], fold: Any = "gate") -> None:
    store.write(lambda tx: keep(tx, *examples, fold=fold))


def entries(store: Store, of: TaskConfig) -> int:
    return store.read(lambda tx: gate_prompts(tx, of, NOW))[1]


def test_sixty_entries_of_twelve_prompts_are_twelve(store: Store) -> None:
    hold(store, [asked(number, number % 12) for number in range(60)])
    assert entries(store, task()) == 12
    power = store.read(lambda tx: power_now(tx, task()))
    assert power.words == "12 different prompts of the 20 that are wanted: too few to judge anything"


@pytest.mark.parametrize("validator", [True, False])
def test_where_reading_is_capped_all_different_prompts_count_once_these_are_enough(
    store: Store, validator: bool
) -> None:
    wrote = {} if validator else {"demonstration": Target("erDiagram", 1.0, NOW, "u1")}
    hold(store, [asked(number, number % 30, **wrote) for number in range(90)])
    capped: dict[str, Any] = {"holdout": {"cap": 20}} | ({} if validator else {"tasks": {"erd": {}}})
    assert entries(store, task(**capped)) == 30
    assert entries(store, task(**capped, gate={"min_prompts": 25})) == 20


def test_a_popular_prompt_does_not_take_the_places_of_others(store: Store) -> None:
    rare = [asked(number, number) for number in range(30)]
    popular = [asked(100 + number, 99, effective_at=later(number)) for number in range(80)]
    hold(store, [*rare, *popular])
    prompts, _ = store.read(lambda tx: gate_prompts(tx, task(holdout={"cap": 40}), NOW))
    assert len(prompts) == 40
    assert len({prompt.messages for prompt in prompts}) == 31


def test_prompts_of_which_nobody_spoke_lately_are_read_behind_any_number_of_repeats(store: Store) -> None:
    rare = [asked(number, number) for number in range(24)]
    popular = [asked(100 + number, 99, effective_at=later(number)) for number in range(120)]
    hold(store, [*rare, *popular])
    few = task(holdout={"cap": 20}, gate={"min_prompts": 12})
    prompts, count = store.read(lambda tx: gate_prompts(tx, few, NOW))
    assert (len(prompts), len({prompt.messages for prompt in prompts}), count) == (20, 20, 25)


def test_the_guards_yardstick_has_one_human_text_a_prompt(store: Store) -> None:
    wrote = [
        asked(number, number % 3, demonstration=Target(f"text {number}", 1.0, NOW, "u1"), effective_at=later(-number))
        for number in range(9)
    ]
    hold(store, wrote, fold="dev")
    assert sorted(store.read(lambda tx: human_texts(tx, task(), NOW))) == ["text 0", "text 1", "text 2"]
