"""nltk is the definition; ours only has to agree with it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from consumers.similarity import bleu

word_lists = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "."]), max_size=12)


def by_nltk(hypothesis: list[str], reference: list[str]) -> float:
    smoothing = SmoothingFunction().method1
    return float(sentence_bleu([reference], hypothesis, smoothing_function=smoothing, auto_reweigh=True))


@settings(max_examples=400)
@given(word_lists, word_lists)
def test_it_agrees_with_nltk(hypothesis: list[str], reference: list[str]) -> None:
    assert bleu(hypothesis, reference) == pytest.approx(by_nltk(hypothesis, reference), abs=1e-12)


def test_it_agrees_with_nltk_on_long_texts() -> None:
    draw = random.Random(7)
    for _ in range(20):
        reference = [str(draw.randrange(80)) for _ in range(draw.randrange(1, 400))]
        hypothesis = [word if draw.random() < 0.85 else "new" for word in reference][: draw.randrange(1, 400)]
        assert bleu(hypothesis, reference) == pytest.approx(by_nltk(hypothesis, reference), abs=1e-12)


@pytest.mark.parametrize("length", range(1, 8))
def test_equal_texts_are_1_however_short(length: int) -> None:
    text = [str(number) for number in range(length)]
    assert bleu(text, text) == pytest.approx(1.0, abs=1e-12)


def test_no_words_or_none_in_common_are_0() -> None:
    assert bleu([], ["a"]) == bleu(["a"], []) == bleu(["a", "b"], ["c"]) == bleu([], []) == 0.0


def test_words_said_thousands_of_times_agree_with_nltk() -> None:
    hypothesis, reference = ["no"] * 3000 + ["yes"] * 10, ["no"] * 2000 + ["yes", "no"] * 20
    assert bleu(hypothesis, reference) == pytest.approx(by_nltk(hypothesis, reference), abs=1e-12)
