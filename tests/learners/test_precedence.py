"""No text of an interaction is trained on by two kinds of row: what says most of it is kept."""

from dataclasses import replace

import pytest

from learners.router import route, rows_of
from storage.records import Example, Pair, Scalar, Target
from tests.learners.test_router import BARE, BOTH, CORRECTED, LIKED, NOW, REWARDS, SFT, FakeMethod


def test_a_row_goes_to_one_method_only() -> None:
    methods = [*SFT, (FakeMethod("second", lambda *_: True), None)]
    pair = replace(CORRECTED, pairs=(Pair("good", "bad", False, NOW, None),))
    routed = route(rows_of(pair, REWARDS, NOW), methods)
    assert [row.role for row in routed.by_method["sft"]] == ["target"]
    assert [row.role for row in routed.by_method["second"]] == ["pair"]


SAID = "what the model said"
FORMS: dict[str, tuple[Example, dict[str, list[str]], dict[str, int], dict[str, int]]] = {
    "a correction is a target of sft, and never a pair as well": (CORRECTED, {"sft": ["target"]}, {}, {"response": 1}),
    "a demonstration": (replace(BARE, demonstration=Target("t", 1.0, NOW, None)), {"sft": ["target"]}, {}, {}),
    "an answer people liked": (LIKED, {"sft": ["response"]}, {}, {}),
    "one they did not": (replace(BARE, scalar=Scalar(0.1, 1, NOW)), {}, {"response": 1}, {}),
    "a preference": (replace(BARE, pairs=(Pair("a", "b", False, NOW, None),)), {"dpo": ["pair"]}, {}, {}),
    "a tie": (replace(BARE, pairs=(Pair("a", "b", True, NOW, None),)), {}, {}, {}),
    "a preference beside a correction": (
        replace(CORRECTED, pairs=(Pair("a", "b", False, NOW, None),)),
        {"sft": ["target"], "dpo": ["pair"]},
        {},
        {"response": 1},
    ),
    "a preference for the very correction": (
        replace(CORRECTED, pairs=(Pair(" what a human made of it", "b", False, NOW, None),)),
        {"sft": ["target"]},
        {},
        {"response": 1, "pair": 1},
    ),
    "a preference for an answer that was liked": (
        replace(LIKED, pairs=(Pair("what the model said", "b", False, NOW, None),)),
        {"dpo": ["pair"]},
        {},
        {"response": 1},
    ),
    "a preference against an answer that was liked": (
        replace(LIKED, pairs=(Pair("a", " what the model said", False, NOW, None),)),
        {"dpo": ["pair"]},
        {},
        {"response": 1},
    ),
    "a preference against the very correction": (
        replace(CORRECTED, pairs=(Pair("a", "what a human made of it", False, NOW, None),)),
        {"sft": ["target"]},
        {},
        {"response": 1, "pair": 1},
    ),
    "a preference between other texts beside an answer that was liked": (
        replace(LIKED, pairs=(Pair("a", "b", False, NOW, None),)),
        {"sft": ["response"], "dpo": ["pair"]},
        {},
        {},
    ),
    "a liked answer that was compared with its own correction": (
        replace(CORRECTED, pairs=(Pair("what a human made of it", "what the model said", False, NOW, None),)),
        {"sft": ["target"]},
        {},
        {"response": 1, "pair": 1},
    ),
    "a pair that nobody may learn from takes nothing away": (
        replace(LIKED, pairs=(Pair("so on " * 20, "what the model said", False, NOW, None),)),
        {"sft": ["response"]},
        {"run-on": 1},
        {},
    ),
    "users of whom as many prefer one text as the other": (
        replace(LIKED, pairs=(Pair("a", SAID, False, NOW, "u1"), Pair(SAID, "a", False, NOW, "u2"))),
        {"sft": ["response"]},
        {"even split": 1},
        {},
    ),
    "a correction and a demonstration that say the same": (
        replace(CORRECTED, demonstration=Target("what a human made of it ", 1.0, NOW, None)),
        {"sft": ["target"]},
        {},
        {"response": 1},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_kind_of_feedback_goes_to_one_method_once(form: str) -> None:
    example, taken, no_method, gave_way = FORMS[form]
    routed = route(rows_of(example, REWARDS, NOW), BOTH)
    assert {name: [row.role for row in rows] for name, rows in routed.by_method.items()} == taken
    assert (routed.no_method, routed.gave_way) == (no_method, gave_way)
    learned = [row for rows in routed.by_method.values() for row in rows]
    texts = [text.strip() for row in learned for text in (row.completion, row.role == "pair" and row.rejected) if text]
    assert len(texts) == len(set(texts)), "on whichever side"


def test_where_no_phase_compares_an_answer_that_was_liked_is_learned() -> None:
    example = replace(LIKED, pairs=(Pair("a", "what the model said", False, NOW, None),))
    kto = [(FakeMethod("kto", lambda row, _: row.role != "pair"), None)]
    for methods in (SFT, kto):
        routed = route(rows_of(example, REWARDS, NOW), methods)
        assert [row.role for rows in routed.by_method.values() for row in rows] == ["response"]
        assert (routed.no_method, routed.gave_way) == ({"pair": 1}, {})


def test_pairs_that_share_one_text_are_comparisons_of_their_own() -> None:
    chain = (Pair("a", "what the model said", False, NOW, None), Pair("what the model said", "b", False, NOW, None))
    routed = route(rows_of(replace(LIKED, pairs=chain), REWARDS, NOW), BOTH)
    assert [(row.completion, row.rejected) for row in routed.by_method["dpo"]] == [
        ("a", "what the model said"),
        ("what the model said", "b"),
    ]
