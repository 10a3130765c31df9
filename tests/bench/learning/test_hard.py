"""Which of what was told counts as hard: the tenth that the base answered worst, and chance where many are equal."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.learning.tasks import Faults, find_task
from bench.learning.users import Crowd, Reply, Told, tell
from examples.erd.world import Pool

pytestmark = pytest.mark.train  # its module loads torch
TASK = find_task("booking")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def told(worst: set[int]) -> list[Told]:
    asks = list(islice(TASK.asks(Pool.EVENTS, 1, 0.0), 100))
    replies = [Reply("{}" if at in worst else TASK.good_answer(ask), "stop") for at, ask in enumerate(asks)]
    return tell(TASK, Faults(), asks, replies, Crowd(noise=0.0), 1, NOW)


def ended(pool: list[Told], places: range) -> Any:
    lines = [SimpleNamespace(origin=SimpleNamespace(interaction_id=pool[at].example.interaction_id)) for at in places]
    return cast(Any, SimpleNamespace(lines=lines, trained=SimpleNamespace(steps=(tuple(range(len(lines))),))))


def test_the_worst_tenth_is_hard() -> None:
    from bench.learning.single import shares

    pool = told(set(range(10)))
    assert shares(ended(pool, range(20)), pool)["hard_share"] == 0.5
    assert shares(ended(pool, range(10, 30)), pool)["hard_share"] == 0.0


def test_of_many_that_are_equally_bad_it_is_not_the_first_that_came() -> None:
    from bench.learning.single import shares

    pool = told(set(range(100)))
    assert shares(ended(pool, range(50)), pool)["hard_share"] < 0.16
