"""What is measured of every answer, and the means that are shown."""

import math

import pytest

from consumers.similarity import SimilaritySettings, rouge_l
from learners.gate import gate_rows
from learners.gate.measures import generic_targets, measure_answers, report_measures
from learners.job import AnswerPair, JudgedAnswer, Prompt
from storage.records import Message

SETTINGS = SimilaritySettings()


def prompt(number: int, target: str | None) -> Prompt:
    return Prompt(id=str(number), messages=(Message("user", f"tell of thing{number}x"),), target=target)


def said(text: str, **known: float) -> JudgedAnswer:
    return JudgedAnswer(text=text, finish_reason="stop", tokens=3, **known)


def test_an_answer_is_compared_with_its_target() -> None:
    asked = [prompt(0, "the cat sat on the mat"), prompt(1, "a b c"), prompt(2, None)]
    equal, near, alone = measure_answers(
        asked, [said("the cat sat on the mat\n"), said("a b d"), said("x")], SETTINGS, [0.5, None, None]
    )
    assert (equal.measures.exact, equal.measures.rouge_l, equal.measures.kl) == (1.0, 1.0, 0.5)
    assert near.measures.exact == 0.0
    assert near.measures.rouge_l == pytest.approx(2 / 3)
    assert near.measures.similarity == pytest.approx((near.measures.edit + near.measures.bleu) / 2)  # type: ignore[operator]
    assert alone.measures.similarity is None
    assert alone.measures.generic is None  # three prompts tell nothing


def test_alike_answers_have_a_high_self_similarity() -> None:
    asked = [prompt(at, None) for at in range(3)]
    found = measure_answers(asked, [said("a b"), said("a b"), said("c d")], SETTINGS, [None] * 3)
    assert [one.measures.self_similarity for one in found] == pytest.approx([0.5, 0.5, 0.0])


def test_the_same_answer_to_the_same_prompt_again_is_not_alike_to_itself() -> None:
    asked = [prompt(0, None), prompt(0, None), prompt(1, None)]
    found = measure_answers(asked, [said("a b"), said("a b"), said("c d")], SETTINGS, [None] * 3)
    assert [one.measures.self_similarity for one in found] == [0.0, 0.0, 0.0]


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(0.75)  # Lin 2004, table 1
    assert rouge_l("the gunman police killed", "police killed the gunman") == pytest.approx(0.5)
    assert rouge_l("", "") == 1.0
    assert rouge_l("x", "") == 0.0
    assert rouge_l("Über den Fluß", "über den fluss") == 1.0


def test_generic_targets_are_told_where_humans_wrote() -> None:
    asked = [prompt(at, f"thing{at}x is here" if at % 2 else "anything") for at in range(30)]
    assert generic_targets(asked) == [at % 2 == 0 for at in range(30)]
    assert generic_targets([prompt(at, None) for at in range(30)]) == [None] * 30


def test_the_report_has_means_differences_and_errors_of_what_both_have() -> None:
    asked = [prompt(at, "a b c") for at in range(20)]
    ones = measure_answers(asked, [said("a b c", nll_per_token=0.0)] * 20, SETTINGS, [0.25] * 20)
    others = measure_answers(asked, [said("a b", nll_per_token=math.log(2))] * 20, SETTINGS, [None] * 20)
    pairs = [
        AnswerPair(id=p.id, weight=1.0, candidate=a, champion=b) for p, a, b in zip(asked, ones, others, strict=True)
    ]
    found = report_measures(gate_rows(pairs))
    assert found["perplexity"] == pytest.approx(
        {"champion": 2.0, "candidate": 1.0, "difference": -1.0, "error": None, "prompts": 20}
    )
    assert found["exact"]["difference"] == 1.0
    assert found["rouge_l"]["champion"] == pytest.approx(0.8)
    assert found["kl"] == {"candidate": 0.25, "prompts": 20}
    assert "score" not in found
