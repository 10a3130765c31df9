"""The head learns what people prefer, knows when that is only length, and says how sure it is."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from learners.ngrams import Vectors, ngram_vectors
from learners.pairwise.head import Compared, fit, gain_bound, learn_head


def embed(texts: Sequence[str]) -> Vectors:
    """A small encoder: words hashed into 64 places."""
    vectors: Vectors = ngram_vectors(texts).reshape(len(texts), 64, -1).sum(axis=2)
    return vectors


FILLER = ("perhaps", "also", "then", "so", "well", "now", "here", "there")


def text(random: Random, word: str, words: int) -> str:
    return " ".join([word, *random.choices(FILLER, k=words)])


def pairs(count: int, *, kindness: bool, length: bool, prompts: int = 40, seed: int = 3) -> list[Compared]:
    """People who prefer a kind answer, or a long one, or both or neither."""
    random = Random(seed)
    found = []
    for number in range(count):
        kind, rude = ("thanks", "nonsense") if kindness else ("maybe", "maybe")
        words = (9, 4) if length else (random.randint(4, 9), random.randint(4, 9))
        said = text(random, kind, words[0]), text(random, rude, words[1])
        found.append(Compared(f"question number {number % prompts}", *said))
    return found


def test_it_learns_what_people_prefer_beyond_length_and_judges_new_prompts() -> None:
    head, report = learn_head(pairs(200, kindness=True, length=False), embed, seed=1)
    assert head is not None
    assert report.used
    assert report.accuracy is not None
    assert report.accuracy > 0.95
    assert report.length_accuracy == pytest.approx(0.5, abs=0.15)
    kind, rude = "thanks so well", "nonsense so well"
    asked = ["a new one"] * 3
    assert head.preferences(asked, [kind, rude, kind], [rude, kind, kind]) == [1.0, 0.0, 0.5]
    assert head.preferences([], [], []) == []


def test_a_head_that_knows_only_length_is_not_used() -> None:
    head, report = learn_head(pairs(200, kindness=False, length=True), embed, seed=1)
    assert head is None
    assert not report.used
    assert report.length_accuracy == 1.0
    assert "is no sure gain" in report.reason


def test_a_head_that_knows_nothing_is_not_used() -> None:
    head, report = learn_head(pairs(200, kindness=False, length=False), embed, seed=1)
    assert head is None
    assert report.gain_bound is not None
    assert report.gain_bound <= 0


@pytest.mark.parametrize(("count", "prompts", "words"), [(99, 40, "99 of 100 pairs"), (200, 9, "9 of 10 prompts")])
def test_too_few_pairs_or_prompts_make_no_head_and_cost_no_embedding(count: int, prompts: int, words: str) -> None:
    def never(texts: object) -> np.ndarray:
        raise AssertionError("nothing is to be embedded")

    head, report = learn_head(pairs(count, kindness=True, length=False, prompts=prompts), never, seed=1)
    assert head is None
    assert words in report.reason


def test_a_pair_of_weight_two_counts_as_two_pairs() -> None:
    differences = np.array([[1.0, 0.2], [-0.5, 0.3], [0.1, -1.0], [0.1, -1.0]])
    once = fit(differences, np.ones(4))
    twice = fit(differences[:3], np.array([1.0, 1.0, 2.0]) * 3 / 4)  # the ridge is against weights of mean 1
    assert fit(differences, np.full(4, 7.0)) == pytest.approx(once)
    assert np.sign(once) == pytest.approx(np.sign(twice))


def test_the_fit_is_where_the_slope_is_nothing() -> None:
    random = np.random.default_rng(0)
    differences, weights = random.normal(size=(50, 3)), np.ones(50)
    found = fit(differences, weights)
    chosen = 1 / (1 + np.exp(-differences @ found))
    assert differences.T @ (chosen - 1) + 10.0 * found == pytest.approx(np.zeros(3), abs=1e-6)


def test_pairs_of_one_prompt_are_no_independent_evidence() -> None:
    gains = np.array([1.0] * 30 + [0.0] * 10 + [-1.0] * 10)
    weights = np.ones(50)
    apart = gain_bound(gains, weights, [str(at) for at in range(50)], seed=1)
    together = gain_bound(gains, weights, ["one"] * 30 + ["two"] * 10 + ["three"] * 10, seed=1)
    assert apart > 0 > together
