"""Trains one base of a benchmark task, by the example's own pretraining, on answers with the recipe's faults.

    python -m bench.learning.pretraining --recipe JSON --out DIRECTORY

Run by `bench.learning.bases` as a process of its own, so that neither torch nor its seeds enter the caller's.
"""

from __future__ import annotations

import argparse
import random
from itertools import islice
from pathlib import Path

from transformers.utils import logging as transformers_logging

from bench.learning.bases import BaseRecipe
from bench.learning.tasks import Faults, find_task
from bench.reporting import progress
from examples.erd.pretraining import pretrain_on
from examples.erd.recipe import Recipe
from examples.erd.world import Pool


def pairs_of(recipe: BaseRecipe) -> list[tuple[str, str]]:
    """Prompts and faulty answers, as many as all steps take."""
    task, faults, rng = find_task(recipe.task), Faults(recipe.faults), random.Random(recipe.seed)
    asks = task.asks(Pool.PRETRAINING, recipe.seed, recipe.rare_share, distinct=False)
    return [(ask.prompt, task.faulty_answer(ask, faults, rng)) for ask in islice(asks, recipe.steps * 16)]


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
            pairs_of(recipe), numbers, options.out, lambda step, _: shown.update(bar, completed=step), task.chunks
        )


if __name__ == "__main__":
    main()
