from __future__ import annotations

import random
from itertools import islice
from statistics import mean

import pytest

from examples.erd.correct import Care, correct, is_right
from examples.erd.score import score
from examples.erd.world import AFTER, BEFORE, Pool, Wish, entity_lists, good_answer, prompt_of, sloppy_answer

_LISTS = list(islice(entity_lists(Pool.EVENTS, 1), 300))
_PROMPTS = [prompt_of(entities) for entities in _LISTS]


def _corrections(care: Care, wish: Wish) -> list[str]:
    given = [correct(prompt, "erDiagram", wish, care, seed) for seed, prompt in enumerate(_PROMPTS)]
    return [text for text in given if text is not None]


def _mean_score(texts: list[str], wish: Wish) -> float:
    return mean(score(p, t, wish.required_fields).score for p, t in zip(_PROMPTS, texts, strict=True))


@pytest.mark.parametrize("wish", [BEFORE, AFTER])
def test_a_careful_user_writes_what_the_wish_in_force_asks_for(wish: Wish) -> None:
    assert _mean_score(_corrections(Care.CAREFUL, wish), wish) == pytest.approx(1.0)


@pytest.mark.parametrize("wish", [BEFORE, AFTER])
def test_a_careless_user_leaves_faults_but_improves_on_a_sloppy_answer(wish: Wish) -> None:
    careless = _mean_score(_corrections(Care.CARELESS, wish), wish)
    rng = random.Random(0)
    sloppy = _mean_score([sloppy_answer(entities, rng) for entities in _LISTS], wish)
    assert sloppy + 0.1 < careless < 0.97


def test_careless_slips_differ_from_user_to_user() -> None:
    assert len({correct(_PROMPTS[0], "erDiagram", BEFORE, Care.CARELESS, seed) for seed in range(20)}) > 3


def test_a_hostile_user_sends_nonsense_that_parses_and_helps_nobody() -> None:
    for prompt, text in zip(_PROMPTS, _corrections(Care.HOSTILE, BEFORE), strict=True):
        scored = score(prompt, text)
        assert scored.parts == {"parses": 1, "entities": 0, "keys": 0, "relations": 0, "placeholders": 0}


def test_a_right_answer_is_corrected_by_the_hostile_user_alone() -> None:
    right = good_answer(_LISTS[0])
    assert is_right(_PROMPTS[0], right, BEFORE)
    assert correct(_PROMPTS[0], right, BEFORE, Care.CAREFUL) is None
    assert correct(_PROMPTS[0], right, BEFORE, Care.CARELESS) is None
    assert correct(_PROMPTS[0], right, BEFORE, Care.HOSTILE) is not None


def test_an_answer_right_before_the_change_is_corrected_after_it() -> None:
    assert correct(_PROMPTS[0], good_answer(_LISTS[0]), AFTER, Care.CAREFUL) == good_answer(_LISTS[0], AFTER)


def test_the_same_seed_gives_the_same_correction() -> None:
    for care in Care:
        assert correct(_PROMPTS[5], "x", AFTER, care, 9) == correct(_PROMPTS[5], "x", AFTER, care, 9)


def test_nobody_corrects_an_answer_to_another_kind_of_prompt() -> None:
    assert all(correct("What is the weather?", "Rain.", BEFORE, care) is None for care in Care)
