"""Trains one base of a benchmark task, by the example's own pretraining, on answers with the recipe's faults.

    python -m bench.learning.pretraining --recipe JSON --out DIRECTORY

Run by `bench.learning.bases` as a process of its own, so that neither torch nor its seeds enter the caller's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from transformers.utils import logging as transformers_logging

from bench.learning.bases import BaseRecipe, pairs_of
from bench.learning.tasks import find_task
from bench.reporting import progress
from examples.erd.pretraining import pretrain_on
from examples.erd.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.learning.pretraining")
    parser.add_argument("--recipe", type=BaseRecipe.model_validate_json, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    recipe: BaseRecipe = options.recipe
    task = find_task(recipe.task)
    numbers = Recipe(steps=recipe.steps, seed=recipe.seed, vocabulary_size=task.vocabulary_size)
    transformers_logging.disable_progress_bar()
    with progress() as shown:
        bar = shown.add_task(f"training base {recipe.task}/{recipe.name}", total=recipe.steps)
        pretrain_on(
            pairs_of(recipe, recipe.steps * numbers.batch_size),
            numbers,
            options.out,
            lambda step, _: shown.update(bar, completed=step),
            task.chunks,
        )


if __name__ == "__main__":
    main()
