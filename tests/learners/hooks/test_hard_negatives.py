"""The quota goes to failures, spread over their kinds, and a failure is only imitated where it has a target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from learners.hooks.contract import Context, PoolExample, Sample, Selection
from learners.hooks.hard_negatives import HardNegativesSettings, expand, select, teaches
from learners.selection import choose
from learners.validators import Validated
from storage.records import Message, Row
from tests.learners.hooks.test_contract import Lengths, disliked, row


def context(tools: Any = None, **settings: Any) -> Context:
    return Context(HardNegativesSettings(**settings), batch_size=4, seed=1, tools=tools or Lengths())


def pooled(number: int, *failures: str, weight: float = 1.0, rows: tuple[Row, ...] | None = None) -> PoolExample:
    one = row(number)
    return PoolExample(one.origin, (number,), weight, (one,) if rows is None else rows, failures)


def kinds_in(wish: Selection, pool: Sequence[PoolExample]) -> Counter[str]:
    return Counter(kind for place in wish.places[: wish.most] for kind in pool[place].failures)


def test_a_quota_of_the_batch_is_spread_evenly_over_kinds_however_rare() -> None:
    pool = [pooled(at, "check:keys") for at in range(40)] + [pooled(40 + at, "prompts:2") for at in range(3)]
    pool += [pooled(43 + at, "check:relations") for at in range(20)] + [pooled(63 + at) for at in range(40)]
    wish = select(pool, 24, context())
    assert wish.most == 8  # 35 % of 24
    assert kinds_in(wish, pool) == {"check:keys": 2, "check:relations": 3, "prompts:2": 3}
    assert pool[wish.places[0]].failures == ("prompts:2",)  # the rarest first


def test_an_example_counts_for_all_its_kinds() -> None:
    pool = [pooled(0, "a", "b"), pooled(1, "a"), pooled(2, "b"), pooled(3, "c"), pooled(4, "c")]
    wish = select(pool, 3, context(quota=1.0))
    assert kinds_in(wish, pool) in ({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "c": 1})
    assert {"a", "b", "c"} <= kinds_in(wish, pool).keys()


def test_a_cluster_of_one_is_no_kind_of_its_own() -> None:
    pool = [pooled(0, "a", "prompts:7"), *(pooled(at, "a", weight=2.0) for at in range(1, 9))]
    assert 0 not in select(pool, 8, context()).places[:3]
    pool[1] = pooled(1, "a", "prompts:7", weight=0.5)
    assert 0 in select(pool, 8, context()).places[:3]


def test_of_a_kind_the_heaviest_come_first() -> None:
    pool = [pooled(at, "a", weight=float(at)) for at in range(5)]
    assert select(pool, 5, context()).places == (4, 3, 2, 1, 0)


def test_no_failures_leave_the_batch_to_the_others() -> None:
    wish = select([pooled(at) for at in range(9)], 4, context())
    assert (wish.places, wish.most) == ((), 0)


def test_a_bad_answer_that_was_liked_is_not_chosen_for_its_failure() -> None:
    liked = replace(disliked(0), reward=0.9, signal=0.95)
    assert not teaches((liked,))
    assert teaches((disliked(0),))
    assert teaches((liked, row(0)))
    assert select([pooled(0, "check:keys", rows=(liked,))], 4, context()).most == 0


def test_the_quota_is_filled_before_others_take_their_share() -> None:
    pool = [pooled(at, "a") if at < 10 else pooled(at, weight=9.0) for at in range(40)]
    wishes = {"hard_negatives": select(pool, 20, context())}
    chosen = choose(pool, wishes, budget=20, cap=5, min_users=1, seed=1)
    assert len(chosen.by["hard_negatives"]) == 7


class Champion(Lengths):
    """Says what it is told; good answers hold the word good, or nothing can be judged."""

    def __init__(self, *said: str, judges: bool = True) -> None:
        self._said, self._judges = said, judges

    def answers(self, prompts: Sequence[Sequence[Message]], n: int, temperature: float) -> Sequence[Sequence[Sample]]:
        return [[Sample(text.strip("-"), not text.endswith("-")) for text in self._said] for _ in prompts]

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        return Validated(1.0, "good" in answer, {}, {}) if self._judges else None


def test_a_failure_without_a_target_takes_an_answer_of_the_champions_in_its_place() -> None:
    batch = [row(0), disliked(1)]
    made = expand(batch, context(Champion("bad", "good 1", "good, but cut-", "good\nUser: and then?")))
    assert [(one.parent, one.row.completion, one.row.role, one.instead) for one in made.rows] == [
        (1, "bad", "target", True),
        (1, "good 1", "target", True),
    ]
    assert all(one.row.reward == 1.0 and one.row.weight == 0.5 for one in made.rows)


def test_what_has_a_target_or_a_pair_or_was_liked_is_not_asked_for_again() -> None:
    liked, again = replace(disliked(2), reward=0.5), disliked(3)
    pair = replace(again, role="pair", rejected="worse")
    assert expand([row(0), disliked(0), liked, again, pair], context(Champion("good"))).rows == ()


def test_without_a_validator_nothing_tells_a_good_answer() -> None:
    made = expand([disliked(1)], context(Champion("good", judges=False)))
    assert made.rows == ()
    assert "no validator" in made.reasons[0]
