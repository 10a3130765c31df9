"""The curriculum goes from easy to hard, leaves out what looks like noise, and says so."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import log
from random import Random
from typing import Any

import pytest

from learners.hooks.contract import Context
from learners.hooks.curriculum import FEWEST_TO_ESTIMATE, CurriculumSettings, best_cut, least_explained, schedule
from learners.ngrams import Vectors, ngram_vectors
from storage.records import Message, Origin, Row
from tests.learners.hooks.test_contract import Lengths

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Losses(Lengths):
    """Tools that know a row's loss by its number, and remember what they were asked."""

    def __init__(self, losses: Sequence[float]) -> None:
        self._losses, self.asked = losses, ""

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        self.asked = "loss"
        return [self._losses[int(row.origin.interaction_id)] for row in rows]

    def probe_loss(self, rows: Sequence[Row], steps: int, *, champion: bool = False) -> Sequence[float]:
        found = self.loss(rows)
        self.asked = f"probe of {steps} steps"
        return found

    def embed(self, texts: Sequence[str]) -> Vectors:
        return ngram_vectors(texts)


def row(number: int, length: int = 5) -> Row:
    return Row((Message("user", "p"),), "x" * length, "target", 1.0, 1.0, 1.0, Origin(str(number), 1), None, NOW)


def context(losses: Sequence[float] = (), seed: int = 3, **settings: Any) -> Context:
    return Context(CurriculumSettings(**settings), batch_size=4, seed=seed, tools=Losses(losses))


BY_LENGTH: dict[str, Any] = {"difficulty": "length"}
ROWS = [row(at, length) for at, length in enumerate((90, 10, 50, 30, 70, 20, 80, 40, 60))]
ONE_GROUP = (0.1, 0.3, 0.4, 0.5, 0.6, 0.5, 0.4, 0.7, 0.9)
TWO_GROUPS = (0.1, 0.2, 0.15, 0.12, 3.0, 0.18, 3.1, 0.11, 2.9, *(0.1 + 0.01 * at for at in range(12)))
FEW = FEWEST_TO_ESTIMATE - 1


def reached(steps: Sequence[Sequence[int]]) -> set[int]:
    return {at for step in steps for at in step}


def test_the_stages_go_from_the_easy_third_to_all_rows() -> None:
    planned = schedule(ROWS, 30, context(**BY_LENGTH))
    lengths = [{len(ROWS[at].completion) for at in reached(planned.plan.steps[a : a + 10])} for a in (0, 10, 20)]
    assert lengths == [{10, 20, 30}, {10, 20, 30, 40, 50, 60}, {10, 20, 30, 40, 50, 60, 70, 80, 90}]
    assert [(stage.name, stage.steps, stage.rows) for stage in planned.stages] == [
        ("easy", 10, 3),
        ("medium", 10, 6),
        ("hard", 10, 9),
    ]


def test_hard_to_easy_is_the_other_way_round() -> None:
    planned = schedule(ROWS, 30, context(**BY_LENGTH, order="hard_first"))
    assert {len(ROWS[at].completion) for at in reached(planned.plan.steps[:10])} == {70, 80, 90}


def test_difficulty_is_the_loss_after_a_probe_by_default() -> None:
    probed = context(ONE_GROUP)
    planned = schedule([row(at) for at in range(9)], 30, probed)
    assert reached(planned.plan.steps[:10]) == {0, 1, 2}
    assert isinstance(probed.tools, Losses)
    assert probed.tools.asked == "probe of 10 steps"
    assert planned.left_out == ()


def test_the_champions_loss_can_be_asked_for_instead() -> None:
    asked = context(ONE_GROUP, difficulty="loss")
    schedule([row(at) for at in range(9)], 3, asked)
    assert isinstance(asked.tools, Losses)
    assert asked.tools.asked == "loss"


def test_rows_whose_loss_is_a_group_of_its_own_are_left_out_as_noise() -> None:
    planned = schedule([row(at) for at in range(21)], 30, context(TWO_GROUPS))
    assert planned.left_out == (4, 6, 8)
    assert reached(planned.plan.steps) == {0, 1, 2, 3, 5, 7, *range(9, 21)}
    assert planned.numbers == {"noise": pytest.approx(3 / 21), "left_out": 3.0}
    assert planned.reasons[0].startswith("left out: the hardest 14%, a group of its own")


def test_losses_that_are_one_group_leave_nothing_out() -> None:
    planned = schedule([row(at) for at in range(27)], 30, context(ONE_GROUP * 3))
    assert planned.left_out == ()
    assert planned.reasons[0].startswith("nothing left out: the losses are one group")


def test_a_few_rows_are_too_few_to_tell_noise() -> None:
    planned = schedule([row(at) for at in range(FEW)], 30, context(TWO_GROUPS))
    assert planned.left_out == ()
    assert planned.reasons[0] == f"nothing left out: {FEW} rows are too few to tell noise"


def test_no_more_than_half_is_ever_taken_for_noise() -> None:
    planned = schedule([row(at) for at in range(20)], 30, context([0.1] * 5 + [3.0] * 15))
    assert len(planned.left_out) == 10


def test_a_share_of_noise_can_be_set() -> None:
    planned = schedule([row(at) for at in range(9)], 30, context(ONE_GROUP, noise=0.4))
    assert planned.left_out == (4, 5, 7, 8)


def test_the_best_cut_of_two_clean_groups_explains_nearly_all_and_of_a_bell_two_thirds() -> None:
    explained, share = best_cut([0.0, 0.1, 0.05, 9.0, 9.1])
    assert explained > 0.99
    assert share == pytest.approx(0.4)
    from statistics import NormalDist

    bell = [NormalDist().inv_cdf((at + 0.5) / 400) for at in range(400)]
    assert best_cut(bell)[0] == pytest.approx(0.637, abs=0.01)
    assert best_cut([2.0, 2.0, 2.0]) == (0.0, 0.0)


ONE: dict[str, Callable[[Random], float]] = {
    "normal": lambda random: random.gauss(2, 0.5),
    "uniform": lambda random: random.uniform(0, 2),
    "exponential": lambda random: random.expovariate(1),
    "lognormal": lambda random: random.lognormvariate(0, 0.5),
}


def cut(losses: Sequence[float]) -> bool:
    return best_cut(losses)[0] >= least_explained(len(losses))


@pytest.mark.parametrize("count", [FEWEST_TO_ESTIMATE, 40, 100])
def test_losses_of_one_group_are_cut_in_one_batch_of_twenty_at_most_and_not_far_fewer(count: int) -> None:
    random, batches = Random(11), 300
    rates = {
        name: sum(cut([draw(random) for _ in range(count)]) for _ in range(batches)) / batches
        for name, draw in ONE.items()
    }
    assert all(rate <= 0.08 for rate in rates.values()), rates
    assert max(rates.values()) >= 0.02, rates


@pytest.mark.parametrize("noise", [0.2, 0.4])
def test_a_share_of_noise_whose_losses_stand_clearly_apart_is_seen(noise: float) -> None:
    random, seen = Random(12), 0
    for _ in range(100):
        bad = round(noise * 24)
        losses = [random.lognormvariate(log(0.1), 0.5) for _ in range(24 - bad)]
        losses += [random.gauss(3, 0.5) for _ in range(bad)]
        seen += cut(losses) and round(best_cut(losses)[1] * 24) == bad
    assert seen >= 95


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_few_rows_or_steps_make_a_plan_too(steps: int, count: int) -> None:
    plan = schedule(ROWS[:count], steps, context(**BY_LENGTH)).plan
    assert len(plan.steps) == steps
    assert all(len(set(step)) == len(step) > 0 for step in plan.steps)


def test_a_seed_gives_its_schedule_again() -> None:
    assert schedule(ROWS, 12, context(**BY_LENGTH)) == schedule(ROWS, 12, context(**BY_LENGTH))
    assert schedule(ROWS, 12, context(**BY_LENGTH)).plan != schedule(ROWS, 12, context(**BY_LENGTH, seed=4)).plan


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        schedule([], 3, context(**BY_LENGTH))
