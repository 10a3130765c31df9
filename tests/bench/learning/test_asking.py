"""Whom people are asked about: the product chooses without knowing what they would say, or lots are drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from math import ceil

import pytest

from bench.learning.asking import ask_about, unlabelled
from bench.learning.settings import ASK, ASK_RANDOM, Setting, in_force
from bench.learning.tasks import Faults, find_task
from bench.learning.updates import task_of
from bench.learning.users import NOW, Crowd, Reply, Told, tell
from daemon.config import TaskConfig
from examples.erd.world import Pool

TASK = find_task("booking")
ASKS = list(islice(TASK.asks(Pool.EVENTS, 1, 0.1), 80))
REPLIES = [Reply("{}" if at % 4 else TASK.good_answer(ask), "stop") for at, ask in enumerate(ASKS)]
TOLD = tell(TASK, Faults(), ASKS, REPLIES, Crowd(), 1, NOW)
CONFIG: TaskConfig = task_of(in_force(TASK, ASK, rows=12, steps=10), "booking")


def names(found: list[Told]) -> list[str]:
    return [each.example.interaction_id for each in found]


@pytest.mark.parametrize("setting", [ASK, ASK_RANDOM])
@pytest.mark.parametrize("count", [6, 24])
def test_as_many_are_asked_about_as_there_are_to_be_labels(setting: Setting, count: int) -> None:
    found = ask_about(TOLD, setting, CONFIG, count, 1)
    assert len(set(names(found))) == count
    assert all(each.example.labelled for each in found)


def test_what_people_would_say_does_not_sway_the_choice() -> None:
    others = tell(TASK, Faults({"short": 1.0}), ASKS, REPLIES, Crowd(noise=1.0), 2, NOW)
    same_users = [
        replace(other, example=replace(other.example, user_id=each.example.user_id))
        for other, each in zip(others, TOLD, strict=True)
    ]
    assert names(ask_about(same_users, ASK, CONFIG, 12, 1)) == names(ask_about(TOLD, ASK, CONFIG, 12, 1))
    assert not unlabelled(TOLD[0].example).labelled


def test_the_product_asks_about_answers_that_its_validator_doubts() -> None:
    found = ask_about(TOLD, ASK, CONFIG, 12, 1)
    assert sum(each.judged.right for each in found) < 12 / 4


def test_no_user_gives_more_than_their_share_of_the_questions() -> None:
    found = ask_about(TOLD, ASK, CONFIG, 12, 1)
    most = max(Counter(each.example.user_id for each in found).values())
    assert most <= ceil(CONFIG.batching.max_share_per_user * 12)


def test_more_lots_are_the_same_ones_and_more_and_another_seed_draws_others() -> None:
    few, many = (set(names(ask_about(TOLD, ASK_RANDOM, CONFIG, count, 1))) for count in (6, 24))
    assert few < many
    assert many != set(names(ask_about(TOLD, ASK_RANDOM, CONFIG, 24, 2)))
