"""The record of the bases: complete, in its bands, and a change of a recipe is another base."""

from __future__ import annotations

import pytest

from bench.learning.bases import BaseRecipe, Measured, misses, recipe_hash, recorded
from bench.learning.cells import BASES
from bench.learning.tasks import find_task


def test_there_is_a_record_for_every_base_that_cells_start_from() -> None:
    assert set(recorded()) == {f"{task}/{base}" for task, base in BASES}


@pytest.mark.parametrize("name", sorted(recorded()))
def test_a_base_was_frozen_within_its_bands(name: str) -> None:
    record = recorded()[name]
    assert record.frozen is not None
    assert misses(record.recipe.name, record.frozen) == []
    assert set(record.recipe.faults) <= set(find_task(record.recipe.task).fault_names)


def test_a_base_outside_of_its_bands_is_told_by_how_much() -> None:
    found = Measured(score=0.60, edge=0.40, generic=0.20, hash="0")
    assert misses("strong", found) == ["score 60.0, wanted 70 +- 2"]


def test_another_fault_is_another_base() -> None:
    recipe = BaseRecipe(task="erd", name="weak", steps=5, faults={"generic": 0.2})
    assert recipe_hash(recipe) == recipe_hash(recipe.model_copy())
    assert recipe_hash(recipe) != recipe_hash(recipe.model_copy(update={"faults": {"generic": 0.3}}))
