"""The record of the bases: complete, in its bands, and a change of a recipe is another base."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bench.learning.bases import BaseOutside, BaseRecipe, BaseRecord, Measured, check, misses, recipe_hash, recorded
from bench.learning.cells import BASES
from bench.learning.metrics import Metrics
from bench.learning.results import read_compact
from bench.learning.tasks import find_task
from learners.job import Base


def test_there_is_a_record_for_every_base_that_cells_start_from() -> None:
    assert set(recorded()) == {f"{task}/{base}" for task, base in BASES}


@pytest.mark.parametrize("name", sorted(recorded()))
def test_a_base_that_is_frozen_is_within_its_bands(name: str) -> None:
    record = recorded()[name]
    assert record.frozen is None or misses(record.recipe.name, record.frozen) == []
    assert set(record.recipe.faults) <= set(find_task(record.recipe.task).fault_names)


def test_a_base_outside_of_its_bands_is_told_by_how_much() -> None:
    found = Measured(score=0.60, edge=0.40, generic=0.20, hash="0")
    assert misses("strong", found) == ["score 60.0, wanted 70 ± 2"]


def test_nothing_is_reported_of_a_base_that_is_not_frozen() -> None:
    frozen = {name.replace("/", "-") for name, record in recorded().items() if record.frozen}
    assert {one["cell"].split("/")[1] for one in read_compact()} <= frozen


class Elsewhere:
    """A gym whose base was trained on another machine: other files, and always this score."""

    def __init__(self, score: float, files: str = "elsewhere") -> None:
        self.base = Base(path="/base", hash=files)
        self._score = score

    def base_metrics(self, seed: int) -> Metrics:
        return Metrics(score=self._score, edge=0.40, generic=0.20, right=0.1, alike=0.1)


RECORD = BaseRecord(
    recipe=BaseRecipe(task="erd", name="weak", steps=5, faults={}),
    frozen=Measured(score=0.53, edge=0.40, generic=0.20, hash="here"),
)


def test_a_base_that_was_trained_elsewhere_stands_if_it_is_within_its_bands(capsys: pytest.CaptureFixture[str]) -> None:
    check(RECORD, cast(Any, Elsewhere(0.52)))
    assert "another hash" in capsys.readouterr().err
    check(RECORD, cast(Any, Elsewhere(0.10, files="here")))


def test_a_base_outside_of_its_bands_is_not_learned_from() -> None:
    with pytest.raises(BaseOutside, match=r"score 60\.0, wanted 53"):
        check(RECORD, cast(Any, Elsewhere(0.60)))


def test_a_base_that_was_never_frozen_is_not_learned_from() -> None:
    with pytest.raises(BaseOutside, match="not frozen"):
        check(RECORD.model_copy(update={"frozen": None}), cast(Any, Elsewhere(0.53)))


def test_another_fault_is_another_base() -> None:
    recipe = BaseRecipe(task="erd", name="weak", steps=5, faults={"generic": 0.2})
    assert recipe_hash(recipe) == recipe_hash(recipe.model_copy())
    assert recipe_hash(recipe) != recipe_hash(recipe.model_copy(update={"faults": {"generic": 0.3}}))
