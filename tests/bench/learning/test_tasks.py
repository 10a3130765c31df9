"""The benchmark tasks: their scores know right from wrong, their pools share nothing, their faults are at home."""

from __future__ import annotations

import random
from itertools import islice
from statistics import fmean

import pytest

from bench.learning.tasks import Ask, Faults, find_task, task_names
from examples.erd.world import Pool
from learners.validators import open_validator

EVERY_TASK = pytest.mark.parametrize("name", task_names())


def asks_of(name: str, pool: Pool = Pool.EVENTS, *, rare: float = 0.5, count: int = 80, seed: int = 1) -> list[Ask]:
    return list(islice(find_task(name).asks(pool, seed, rare), count))


@EVERY_TASK
def test_what_a_careful_user_wants_has_nothing_left_to_wish_for(name: str) -> None:
    task = find_task(name)
    for ask in asks_of(name):
        judged = task.judge(ask, task.good_answer(ask))
        assert judged.right
        assert judged.score == pytest.approx(1.0)
        assert judged.edge is (True if ask.rare else None)


@EVERY_TASK
def test_the_products_own_validator_agrees_that_a_good_answer_passes(name: str) -> None:
    task = find_task(name)
    validator = open_validator(*task.validator)
    assert all(validator.validate(ask.prompt, task.good_answer(ask)).passed for ask in asks_of(name))


@EVERY_TASK
def test_the_answer_to_a_plain_prompt_fails_the_edge_case(name: str) -> None:
    task = find_task(name)
    for ask in asks_of(name, rare=1.0):
        plain = task.good_answer(Ask(ask.prompt, ask.facts))
        judged = task.judge(ask, plain)
        assert judged.edge is False
        assert judged.failed == ask.rare


@EVERY_TASK
def test_every_kind_of_edge_case_is_asked_for(name: str) -> None:
    assert {ask.rare for ask in asks_of(name, rare=1.0)} == set(find_task(name).rare_kinds)


@EVERY_TASK
def test_what_a_hostile_user_wants_would_fit_any_prompt(name: str) -> None:
    task = find_task(name)
    judged = [task.judge(ask, task.hostile_answer(ask)) for ask in asks_of(name, rare=0.0)]
    assert all(each.generic and each.score < 0.7 for each in judged)


@EVERY_TASK
def test_every_fault_costs_score_or_the_edge_case(name: str) -> None:
    task, asks = find_task(name), asks_of(name, count=120)
    clean = fmean(value_of(name, asks, Faults()))
    for fault in task.fault_names:
        assert fmean(value_of(name, asks, Faults({fault: 1.0}))) < clean - 0.02, fault


def value_of(name: str, asks: list[Ask], faults: Faults) -> list[float]:
    task, rng = find_task(name), random.Random(0)
    judged = [task.judge(ask, task.faulty_answer(ask, faults, rng)) for ask in asks]
    return [each.score - 0.5 * (each.edge is False) for each in judged]


@EVERY_TASK
def test_no_pool_shares_facts_with_another(name: str) -> None:
    seen: dict[tuple[str, ...], Pool] = {}
    for pool in Pool:
        for ask in asks_of(name, pool, count=100):
            key = tuple(sorted(ask.facts))
            assert seen.setdefault(key, pool) is pool


@EVERY_TASK
def test_the_same_seed_asks_the_same(name: str) -> None:
    assert asks_of(name) == asks_of(name)
    assert asks_of(name) != asks_of(name, seed=2)


def test_a_fault_is_likely_in_as_many_homes_as_its_share_says() -> None:
    homes, rng = tuple("abcdefgh"), random.Random(0)
    faults = Faults({"broken": 0.5})
    often = [home for home in homes if fmean(faults.draw("broken", home, homes, rng) for _ in range(300)) > 0.5]
    assert len(often) == 4


def test_a_task_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="booking, erd"):
        find_task("poems")


def test_a_number_as_text_is_not_the_number() -> None:
    task = find_task("booking")
    ask = asks_of("booking", rare=0.0)[0]
    said = task.good_answer(ask).replace(f'"people": {ask.facts[2]}', f'"people": "{ask.facts[2]}"')
    assert task.judge(ask, said).failed == "people"
