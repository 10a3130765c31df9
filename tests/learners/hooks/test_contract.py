"""What every learner with a hook keeps, whichever files there are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from learners.expansion import Guard, keep
from learners.hooks import Learner, learners
from learners.hooks.contract import Brought, Context, PoolExample, Sample
from learners.ngrams import Vectors, ngram_vectors
from learners.validators import Validated
from storage.records import Message, Origin, Row

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BY_NAME = [pytest.param(learner, id=name) for name, learner in learners().items()]
SELECTORS = [pytest.param(one, id=name) for name, one in learners().items() if one.select]
EXPANDERS = [pytest.param(one, id=name) for name, one in learners().items() if one.expand]
SCHEDULERS = [pytest.param(one, id=name) for name, one in learners().items() if one.schedule]


class Lengths:
    """Tools without a model: a row is the harder, the longer it is."""

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        return [float(len(row.completion)) for row in rows]

    def probe_loss(self, rows: Sequence[Row], steps: int, *, champion: bool = False) -> Sequence[float]:
        return self.loss(rows)

    def answers(self, prompts: Sequence[Sequence[Message]], n: int, temperature: float) -> Sequence[Sequence[Sample]]:
        return [[Sample(f"said {each}", whole=each > 0) for each in range(n)] for _ in prompts]

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        good = answer != "said 1"
        return Validated(float(good), good, {"good": good}, {"good": float(good)})

    def embed(self, texts: Sequence[str]) -> Vectors:
        return ngram_vectors(texts)


def row(number: int) -> Row:
    said = f"answer {number} for Name{number}" + "!" * (number % 7)
    asked = (Message("user", f"p{number} of Name{number}"),)
    return Row(asked, said, "target", 1.0, 1.0, 1.0, Origin(str(number), 1), None, NOW)


def disliked(number: int) -> Row:
    return replace(row(number), role="response", signal=0.1, reward=-0.9)


def context(learner: Learner, seed: int = 1) -> Context:
    return Context(learner.Settings(), batch_size=4, seed=seed, tools=Lengths())


ROWS = [row(at) for at in range(24)]
FAILURES = [(), ("check:keys",), ("feedback:correction", "prompts:1")]
POOL = [PoolExample(one.origin, (at % 6,), 1.0, (one,), FAILURES[at % 3]) for at, one in enumerate(ROWS)]
BATCH = [*ROWS[:8], *map(disliked, range(8, 12))]
ALL_ON: dict[str, dict[str, Any]] = {
    "augmentation": {"best_of_n": 2, "paraphrase": True, "back_translation": "French"}
}  # settings with which a learner reports all that it can


@pytest.mark.parametrize("learner", BY_NAME)
def test_a_learner_is_known_by_its_file_and_says_what_it_does(learner: Learner) -> None:
    assert learners()[learner.name] is learner
    assert learner.doc.endswith(".")
    assert learner.select or learner.expand or learner.schedule
    assert learner.Settings()


@pytest.mark.parametrize("learner", SELECTORS)
@pytest.mark.parametrize("size", [1, 2, 24])
def test_a_selection_names_places_of_the_pool_and_a_reason(learner: Learner, size: int) -> None:
    assert learner.select is not None
    wish = learner.select(POOL[:size], 8, context(learner))
    assert set(wish.places) <= set(range(size))
    assert len(set(wish.places)) == len(wish.places)
    assert 0 <= wish.most <= 8
    assert wish.reasons


@pytest.mark.parametrize("learner", SELECTORS)
def test_a_seed_gives_its_selection_again(learner: Learner) -> None:
    assert learner.select is not None
    assert learner.select(POOL, 8, context(learner)) == learner.select(POOL, 8, context(learner))


@pytest.mark.parametrize("learner", SCHEDULERS)
@pytest.mark.parametrize("count", [1, 3, 24])
def test_a_schedule_has_the_steps_that_were_asked_for_and_no_row_twice_in_one(learner: Learner, count: int) -> None:
    assert learner.schedule is not None
    planned = learner.schedule(ROWS[:count], 9, context(learner))
    assert len(planned.plan.steps) == sum(stage.steps for stage in planned.stages) == 9
    trained = {place for step in planned.plan.steps for place in step}
    assert all(len(set(step)) == len(step) > 0 for step in planned.plan.steps)
    assert trained <= set(range(count)) - set(planned.left_out)
    assert planned.reasons


@pytest.mark.parametrize("learner", SCHEDULERS)
def test_a_schedule_does_not_depend_on_who_said_something(learner: Learner) -> None:
    assert learner.schedule is not None
    named = [replace(one, user_id=f"u{at}") for at, one in enumerate(ROWS)]
    assert learner.schedule(named, 9, context(learner)) == learner.schedule(ROWS, 9, context(learner))


@pytest.mark.parametrize("learner", EXPANDERS)
@pytest.mark.parametrize("count", [0, 1, 12])
def test_made_rows_have_a_parent_in_the_batch_and_count_less_than_it(learner: Learner, count: int) -> None:
    assert learner.expand is not None
    made = learner.expand(BATCH[:count], context(learner))
    assert made.reasons
    assert made.most >= 1
    for one in made.rows:
        parent = BATCH[one.parent]
        assert 0 <= one.parent < count
        assert one.how
        assert one.row.weight < parent.weight
        assert (one.row.messages, one.row.completion) != (parent.messages, parent.completion)


@pytest.mark.parametrize("learner", EXPANDERS)
def test_a_learner_that_makes_rows_makes_some_that_can_be_kept(learner: Learner) -> None:
    assert learner.expand is not None
    guard = Guard(Lengths().validate, lambda _: True, frozenset(), frozenset(), frozenset())
    found = keep(learner.expand(BATCH, context(learner)), BATCH, guard)
    assert found.rows
    assert all(row.made and row.origin == BATCH[parent].origin for parent, row in found.rows)


@pytest.mark.parametrize("learner", EXPANDERS)
def test_a_seed_makes_the_same_rows_again(learner: Learner) -> None:
    assert learner.expand is not None
    assert learner.expand(BATCH, context(learner)) == learner.expand(BATCH, context(learner))


@pytest.mark.parametrize("learner", BY_NAME)
def test_a_learner_reports_the_figures_that_it_declares_and_no_other(learner: Learner) -> None:
    given = replace(context(learner), settings=learner.Settings.model_validate(ALL_ON.get(learner.name, {})))
    told: set[str] = set()
    if learner.select:
        wish = learner.select(POOL, 8, given)
        told |= wish.numbers.keys() | (
            wish.tell(Brought(wish.places[:3], wish.places[:8])).numbers if wish.tell else {}
        )
    if learner.expand:
        told |= learner.expand(BATCH, given).numbers.keys()
    if learner.schedule:
        told |= learner.schedule(ROWS, 9, given).numbers.keys()
    assert told == set(learner.figures)
    assert all(words.endswith(".") for words in learner.all_figures.values())
