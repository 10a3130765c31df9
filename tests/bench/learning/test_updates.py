"""How a setting of the benchmark becomes an update's rows, where that differs from what the product would do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from bench.learning.settings import ARRIVAL, SFT, Setting, find_setting, in_force
from bench.learning.tasks import Faults, find_task
from bench.learning.users import Crowd, Reply, Told, tell
from examples.erd.world import Pool
from storage.records import Scalar

pytestmark = pytest.mark.train  # its module loads torch
TASK = find_task("booking")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judged(signal: float, answers: list[str | None]) -> list[Told]:
    """Answers (None: a good one), each of which somebody gave that signal."""
    asks = list(islice(TASK.asks(Pool.EVENTS, 1, 0.0), len(answers)))
    replies = [Reply(said or TASK.good_answer(ask), "stop") for ask, said in zip(asks, answers, strict=True)]
    told = tell(TASK, Faults(), asks, replies, Crowd(noise=0.0), 1, NOW)
    only = {"scalar": Scalar(signal, 1, NOW), "correction": None, "demonstration": None, "pairs": ()}
    return [replace(one, example=replace(one.example, **only)) for one in told]  # type: ignore[arg-type]


def imitated(pool: list[Told], setting: Setting) -> set[str]:
    from bench.learning.updates import methods_of, pick_batch, task_of
    from learners.router import route

    config = in_force(TASK, setting, rows=len(pool), steps=4, guarded=False)
    batch = pick_batch(pool, setting, config, TASK.name, NOW, 1)
    taken: Any = route(batch.rows, methods_of(task_of(config, TASK.name), setting)).by_method
    return {row.origin.interaction_id for row in taken.get("sft", ())}


def test_only_the_baseline_without_a_floor_imitates_what_was_not_liked() -> None:
    pool = judged(0.0, [None] * 6)
    assert imitated(pool, ARRIVAL) == {one.example.interaction_id for one in pool}
    assert imitated(pool, SFT) == set()


def test_with_hard_negatives_a_liked_answer_that_fails_a_check_is_not_imitated() -> None:
    pool = judged(1.0, ["{}", *[None] * 9])
    names = {one.example.interaction_id for one in pool}
    assert imitated(pool, SFT) == names
    assert imitated(pool, find_setting("only-hard_negatives")) == names - {pool[0].example.interaction_id}
