"""The bases that learners start from: trained from a recipe, cached, and known by what they score.

`bases.json` holds each base's recipe and what was recorded when it was frozen: the hash of its files, and score, edge
pass and generic share on the dev seeds. Training in floating point may differ between machines, so a base that is
trained elsewhere is held to the bands of `BANDS` first, and a hash that differs is said in every result.

    python -m bench.learning.bases                  trains what is missing and compares with the record
    python -m bench.learning.bases --freeze         measures all and writes the record
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

from bench.learning.seeds import DEV
from bench.learning.tasks import Faults, find_task
from examples.erd.base import default_cache_dir, make_once, train_aside
from examples.erd.world import Pool

if TYPE_CHECKING:
    from bench.learning.gym import Gym

HERE = Path(__file__).parent
RECORD = HERE / "bases.json"
ROOT = HERE.parents[1]
_SOURCES = tuple(f"examples/erd/{name}.py" for name in ("tokenizer", "pretraining", "recipe"))
_SAMPLE = 500  # training texts that stand for all of them in the folder's name


class Band(NamedTuple):
    """Points of 100: what is wanted and by how much it may differ."""

    wanted: float
    within: float

    def holds(self, value: float) -> bool:
        """`value` in [0, 1]."""
        return abs(100 * value - self.wanted) <= self.within

    def words(self) -> str:
        return f"{self.wanted:.0f} ± {self.within:.0f}"


SCORES = {"strong": Band(70, 2), "weak": Band(53, 2)}
EDGE, GENERIC = Band(40, 5), Band(20, 5)


class BaseOutside(Exception):
    """A base is not what learners are to be measured on; the text says why."""


class BaseRecipe(BaseModel):
    """What decides a base's weights. `faults` by name: in which share of homes each is likely (`tasks.Faults`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    task: str
    name: str
    steps: int
    faults: dict[str, float]
    rare_share: float = 0.12
    seed: int = 0


class Measured(BaseModel):
    """Shares in [0, 1], means over prompts and dev seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    score: float
    edge: float
    generic: float
    hash: str


class BaseRecord(BaseModel):
    """One base in the record; `frozen` is None until it has been measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    recipe: BaseRecipe
    frozen: Measured | None = None


def recorded() -> dict[str, BaseRecord]:
    """Every base of the record, by `task/name`."""
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    return {name: BaseRecord.model_validate(record) for name, record in found.items()}


def ensure(recipe: BaseRecipe, cache_dir: Path | None = None) -> Path:
    """The base's folder; trains it, one or two minutes of CPU, where it is not there yet. Raises BaseNotTrained."""
    folder = (cache_dir or default_cache_dir()).absolute()
    target = folder / f"bench-{recipe.task}-{recipe.name}-{recipe_hash(recipe)}"
    options = ["--recipe", recipe.model_dump_json()]
    make_once(target, lambda: train_aside(target, "bench.learning.pretraining", options))
    return target


def recipe_hash(recipe: BaseRecipe) -> str:
    """Twelve hex digits over the recipe, a sample of the texts it makes, and the code that trains on them."""
    digest = hashlib.sha256(recipe.model_dump_json().encode())
    digest.update(repr(pairs_of(recipe, _SAMPLE)).encode())
    for source in _SOURCES:
        digest.update((ROOT / source).read_bytes())
    return digest.hexdigest()[:12]


def pairs_of(recipe: BaseRecipe, count: int) -> list[tuple[str, str]]:
    """The first prompts that the base is trained on, with their faulty answers."""
    task, faults, rng = find_task(recipe.task), Faults(recipe.faults), random.Random(recipe.seed)
    asks = task.asks(Pool.PRETRAINING, recipe.seed, recipe.rare_share, distinct=False)
    return [(ask.prompt, task.faulty_answer(ask, faults, rng)) for ask in islice(asks, count)]


def misses(name: str, found: Measured) -> list[str]:
    """Which bands a base is outside of, in words; `name` is its own name."""
    bands = {"score": SCORES[name], "edge": EDGE, "generic": GENERIC}
    return [
        f"{what} {100 * getattr(found, what):.1f}, wanted {band.words()}"
        for what, band in bands.items()
        if not band.holds(getattr(found, what))
    ]


def check(record: BaseRecord, gym: Gym) -> None:
    """Whether a base may stand for the record's: the same files, or, trained elsewhere, within the same bands.

    Raises BaseOutside. A hash that differs is said on the error stream.
    """
    if record.frozen is not None and record.frozen.hash == gym.base.hash:
        return
    name = f"{record.recipe.task}/{record.recipe.name}"
    if record.frozen is None:
        raise BaseOutside(
            f"base {name} is not frozen; calibrate it, then python -m bench.learning.bases --freeze {name}"
        )
    print(f"base {name} has another hash than the record's; its bands are checked", file=sys.stderr)
    if wrong := misses(record.recipe.name, measure(gym)):
        raise BaseOutside(f"base {name} as trained on this machine is outside of its bands: {'; '.join(wrong)}")


def measure(gym: Gym) -> Measured:
    """What the gym's base scores on the dev seeds."""
    found = [gym.base_metrics(seed) for seed in DEV]
    means = {what: sum(getattr(one, what) for one in found) / len(found) for what in ("score", "edge", "generic")}
    return Measured(**{what: round(value, 4) for what, value in means.items()}, hash=gym.base.hash)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.learning.bases", description="Train and check the bases.")
    parser.add_argument("--freeze", action="store_true", help="write what was measured into bases.json")
    parser.add_argument("names", nargs="*", help="only these, as task/name")
    options = parser.parse_args()
    from bench.learning.gym import Gym  # loads torch

    records, outside = recorded(), 0
    for name, record in records.items():
        if options.names and name not in options.names:
            continue
        with Gym(record.recipe.task, ensure(record.recipe)) as gym:
            found = measure(gym)
        wrong = misses(record.recipe.name, found)
        outside += bool(wrong)
        same = "" if record.frozen is None or record.frozen.hash == found.hash else "; another hash than the record's"
        print(
            f"{name}: {found.model_dump_json(exclude={'hash'})} {'; '.join(wrong) or 'in its bands'}{same}", flush=True
        )
        records[name] = record.model_copy(update={"frozen": found})
    if options.freeze:
        text = json.dumps({name: record.model_dump() for name, record in records.items()}, indent=2)
        RECORD.write_text(text + "\n", encoding="utf-8")
    raise SystemExit(1 if outside else 0)


if __name__ == "__main__":
    main()
