"""A few stand for all: what is chosen, in which order, and what it leaves out."""

import numpy as np

from learners.diversity import cover, coverage
from learners.ngrams import ngram_vectors

JACKETS = [f"can I return the jacket number {n}" for n in range(6)]
DIAGRAMS = [f"draw a diagram of a library with loans {n}" for n in range(4)]
RUBBISH = ["zxqv 8839 kkpq"]
TEXTS = [*JACKETS, *DIAGRAMS, *RUBBISH]
VECTORS = ngram_vectors(TEXTS)


def kind(place: int) -> str:
    return "jacket" if place < 6 else "diagram" if place < 10 else "rubbish"


def test_the_largest_group_is_stood_for_first_and_rubbish_last() -> None:
    picks = cover(VECTORS, 3)
    assert [kind(pick.place) for pick in picks] == ["jacket", "diagram", "rubbish"]
    assert picks[0].stands_for >= 6
    assert picks[0].gain > picks[1].gain > picks[2].gain


def test_what_is_known_already_is_not_chosen_again() -> None:
    picks = cover(VECTORS, 1, known=ngram_vectors(["can I return the jacket number 99"]))
    assert kind(picks[0].place) == "diagram"


def test_weights_say_what_matters() -> None:
    heavy = [0.1] * 6 + [5.0] * 4 + [0.1]
    assert kind(cover(VECTORS, 1, weights=heavy)[0].place) == "diagram"


def test_no_group_has_more_than_its_most() -> None:
    groups = ["loud"] * 6 + ["other"] * 5
    picks = cover(VECTORS, 9, groups=groups, most=2)
    assert [groups[pick.place] for pick in picks].count("loud") == 2
    assert len(picks) == 4


def test_a_choice_covers_more_than_most_random_ones_of_its_size() -> None:
    chosen = coverage(VECTORS, [pick.place for pick in cover(VECTORS, 3)])
    random = np.random.default_rng(0)
    others = [coverage(VECTORS, list(random.choice(len(TEXTS), 3, replace=False))) for _ in range(40)]
    assert chosen >= max(others)


def test_nothing_gives_nothing() -> None:
    assert cover(ngram_vectors([]), 3) == []
    assert coverage(ngram_vectors([]), []) == 0.0
