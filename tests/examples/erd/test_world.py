from __future__ import annotations

import random
import re
from itertools import combinations, islice

import pytest

from examples.erd.score import score
from examples.erd.world import (
    AFTER,
    BEFORE,
    Pool,
    Wish,
    entities_of,
    entity_lists,
    good_answer,
    pool_of,
    prompt_of,
    prompts,
    score_prompts,
    sloppy_answer,
)


def _lists(pool: Pool, count: int, seed: int = 0) -> list[tuple[str, ...]]:
    return list(islice(entity_lists(pool, seed), count))


def test_a_prompt_names_its_entities_and_they_can_be_read_back() -> None:
    prompt = prompt_of(("Customer", "OrderItem", "Invoice"))
    assert prompt == "Draw an entity-relation diagram for these entities: Customer, OrderItem, Invoice."
    assert entities_of(prompt) == ("Customer", "OrderItem", "Invoice")
    assert entities_of("What is the weather?") == ()


def test_the_order_of_names_never_moves_a_list_to_another_pool() -> None:
    for entities in _lists(Pool.EVENTS, 50):
        assert pool_of(tuple(reversed(entities))) is Pool.EVENTS


def test_no_two_pools_share_an_entity_list_whatever_their_seeds() -> None:
    keys = {pool: {frozenset(e) for seed in (0, 7) for e in _lists(pool, 600, seed)} for pool in Pool}
    for one, other in combinations(Pool, 2):
        assert not keys[one] & keys[other], (one, other)


def test_every_bucket_belongs_to_exactly_one_pool() -> None:
    owned = [bucket for pool in Pool for bucket in range(*pool.value)]
    assert sorted(owned) == list(range(100))


def test_the_200_score_prompts_are_fixed_distinct_and_from_the_score_pool() -> None:
    fixed = score_prompts()
    assert fixed == score_prompts()
    assert len({frozenset(entities_of(prompt)) for prompt in fixed}) == 200
    assert all(pool_of(entities_of(prompt)) is Pool.SCORE for prompt in fixed)


def test_the_score_prompts_share_no_entity_list_with_what_is_trained_on_or_judged() -> None:
    scored = {frozenset(entities_of(prompt)) for prompt in score_prompts()}
    pretraining = islice(entity_lists(Pool.PRETRAINING, 0, distinct=False), 10_080)
    events = {frozenset(entities_of(prompt)) for seed in range(5) for prompt in prompts(Pool.EVENTS, 500, seed)}
    gate = {frozenset(entities_of(prompt)) for seed in range(5) for prompt in prompts(Pool.GATE, 200, seed)}
    assert not scored & ({frozenset(e) for e in pretraining} | events | gate)


def test_the_same_seed_draws_the_same_lists_and_another_seed_others() -> None:
    assert _lists(Pool.EVENTS, 20, 3) == _lists(Pool.EVENTS, 20, 3)
    assert _lists(Pool.EVENTS, 20, 3) != _lists(Pool.EVENTS, 20, 4)


def test_lists_hold_two_to_five_different_entities_and_a_fifth_are_compound() -> None:
    drawn = _lists(Pool.PRETRAINING, 2000)
    assert {len(entities) for entities in drawn} == {2, 3, 4, 5}
    assert all(len(set(entities)) == len(entities) for entities in drawn)
    names = {name for entities in drawn for name in entities}
    compound = [name for name in names if re.search("[a-z][A-Z]", name)]
    assert len(names) == 192
    assert len(compound) / len(names) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("wish", [BEFORE, AFTER, Wish(("created_at", "owner"))])
def test_a_good_answer_scores_100_under_its_wish(wish: Wish) -> None:
    for entities in _lists(Pool.EVENTS, 200):
        assert score(prompt_of(entities), good_answer(entities, wish), wish.required_fields).score == pytest.approx(1.0)


def test_a_good_answer_to_the_old_wish_lacks_only_the_keys_of_the_new_one() -> None:
    entities = ("Customer", "Order")
    scored = score(prompt_of(entities), good_answer(entities, BEFORE), AFTER.required_fields)
    assert scored.score == pytest.approx(0.8)
    assert scored.parts["keys"] == 0


def test_a_good_answer_exists_for_entities_of_no_domain() -> None:
    entities = ("Zeppelin", "Anchor")
    assert score(prompt_of(entities), good_answer(entities)).score == pytest.approx(1.0)
    assert "Zeppelin ||--o{ Anchor : has" in good_answer(entities)


def test_sloppy_answers_are_poor_on_average_and_fail_in_every_part_but_sometimes_do_well() -> None:
    rng = random.Random(0)
    scored = [score(prompt_of(e), sloppy_answer(e, rng)) for e in _lists(Pool.PRETRAINING, 2000)]
    assert 0.5 < sum(one.score for one in scored) / len(scored) < 0.66
    for part in scored[0].parts:
        values = [one.parts[part] for one in scored]
        assert min(values) < 1, part
        assert max(values) == 1, part


def test_the_base_never_sees_the_field_that_the_users_will_wish_for() -> None:
    rng = random.Random(0)
    lists = islice(entity_lists(Pool.PRETRAINING, 0, distinct=False), 10_080)
    assert not any("tenant" in sloppy_answer(entities, rng) for entities in lists)
