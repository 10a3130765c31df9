"""Folds are drawn once, by a secret, and fill the gate first."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from learners.folds import Drawn, HoldoutSettings, draw, draw_folds, draw_many, fold_key
from storage.records import Example, Fold, Message, Scalar

SECRET = b"s" * 32
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = HoldoutSettings()
KEYS = [f"prompt:{number}" for number in range(4000)]


@dataclass(frozen=True)
class Count:
    gate: int = 0


def prompt(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def example(interaction: str, text: str, user: str = "ada", labelled: bool = True, task: str = "erd") -> Example:
    return Example(
        task=task,
        interaction_id=interaction,
        revision=1,
        joined=True,
        withdrawn=False,
        messages=prompt(text) if text else (),
        response="r",
        finish_reason=None,
        model=None,
        adapter=None,
        user_id=user,
        users=(user,),
        first_seen_at=NOW,
        last_signal_at=NOW,
        effective_at=NOW,
        scalar=Scalar(1.0, 1, NOW) if labelled else None,
    )


def draw_all(
    examples: list[Example],
    known: Mapping[str, Fold] | None = None,
    validator: bool = True,
    gate: int = 0,
    settings: HoldoutSettings = SETTINGS,
) -> Drawn:
    def find(task: str, keys: Collection[str]) -> Mapping[str, Fold]:
        return {key: fold for key, fold in (known or {}).items() if key in keys}

    return draw_folds(
        examples,
        holdout_of=lambda _: settings,
        has_validator=lambda _: validator,
        known=find,
        counts=lambda _: Count(gate),
        secret=SECRET,
    )


def test_a_key_is_drawn_the_same_again_and_otherwise_with_another_secret_or_task() -> None:
    def folds(secret: bytes, task: str) -> list[Fold]:
        return [draw(secret, task, key, 0, SETTINGS) for key in KEYS[:100]]

    assert folds(SECRET, "erd") == folds(SECRET, "erd")
    assert folds(SECRET, "erd") != folds(b"t" * 32, "erd")
    assert folds(SECRET, "erd") != folds(SECRET, "sql")


def test_half_goes_to_the_gate_until_it_holds_min() -> None:
    drawn = draw_many(SECRET, "erd", KEYS, 0, SETTINGS)
    until_full = list(drawn.values())
    filled = next(at for at in range(len(until_full)) if until_full[: at + 1].count("gate") == SETTINGS.min)
    assert 90 <= filled <= 150
    rest = Counter(until_full[filled + 1 :])
    assert rest["gate"] / rest.total() == pytest.approx(0.15, abs=0.02)
    assert rest["dev"] / (rest["dev"] + rest["train"]) == pytest.approx(0.1, abs=0.02)


def test_a_full_gate_takes_its_share_only() -> None:
    drawn = Counter(draw_many(SECRET, "erd", KEYS, SETTINGS.min, SETTINGS).values())
    assert drawn["gate"] / len(KEYS) == pytest.approx(0.15, abs=0.02)


def test_two_users_with_the_same_normalised_prompt_are_in_one_fold() -> None:
    for number in range(30):
        text = f"Draw entities {number}"
        drawn = draw_all([example("a", text, "ada"), example("b", f"  dRAW   {text[5:].upper()}", "bob")])
        assert drawn.by_example["erd", "a"] == drawn.by_example["erd", "b"]
        assert len(drawn.drawn) == 1


def test_by_user_all_of_a_user_is_in_one_fold() -> None:
    settings = HoldoutSettings(by="user")
    examples = [example(f"{user}{number}", f"p{number}", user) for user in "abcdefgh" for number in range(5)]
    drawn = draw_all(examples, settings=settings)
    for user in "abcdefgh":
        assert len({drawn.by_example["erd", f"{user}{number}"] for number in range(5)}) == 1
    assert len(drawn.drawn) == 8


def test_the_key_of_a_user_does_not_name_the_user() -> None:
    key = fold_key(prompt("p"), "ada", "user")
    assert key is not None
    assert "ada" not in key
    assert key == fold_key(prompt("other"), "ada", "user")


def test_without_a_user_the_prompt_decides_and_without_either_nothing_is_drawn() -> None:
    assert fold_key(prompt("p"), None, "user") == fold_key(prompt("p"), "ada", "prompt")
    assert fold_key((), "ada", "prompt") is None
    assert draw_all([example("a", "")]) == Drawn({}, {})


def test_what_was_drawn_before_keeps_its_fold() -> None:
    key = fold_key(prompt("p"), None, "prompt")
    assert key is not None
    for fold in ("train", "dev", "gate"):
        drawn = draw_all([example("a", "p")], known={key: fold})
        assert (drawn.drawn, drawn.by_example) == ({}, {("erd", "a"): fold})


def test_with_a_validator_prompts_without_feedback_are_drawn_too() -> None:
    unlabelled = [example(str(number), f"p{number}", labelled=False) for number in range(20)]
    assert len(draw_all(unlabelled, validator=True).drawn) == 20


def test_without_one_they_wait_for_feedback() -> None:
    waiting, judged = example("a", "p", labelled=False), example("b", "q")
    drawn = draw_all([waiting, judged], validator=False)
    assert set(drawn.by_example) == {("erd", "b")}
    later = draw_all([replace(waiting, scalar=Scalar(1.0, 1, NOW))], validator=False)
    assert set(later.by_example) == {("erd", "a")}


def test_an_unlabelled_twin_of_a_drawn_prompt_follows_it() -> None:
    drawn = draw_all([example("a", "p", labelled=False), example("b", "p")], validator=False)
    assert drawn.by_example["erd", "a"] == drawn.by_example["erd", "b"]


def test_the_same_order_gives_the_same_folds_and_tasks_are_drawn_apart() -> None:
    examples = [example(str(n), f"p{n}", task=task) for n in range(50) for task in ("erd", "sql")]
    assert draw_all(examples) == draw_all(examples)
    folds = draw_all(examples).by_example
    assert any(folds["erd", str(n)] != folds["sql", str(n)] for n in range(50))


def test_auto_is_by_prompt() -> None:
    assert HoldoutSettings().split == "prompt"
