"""What is run: cells. One cell is one base, setting, point and seed, and one JSON file with everything that came of it.

A point is the centre with one thing changed. Files are written whole, so a kill loses the cell at hand and no other; a
cell whose file is there is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.learning.seeds import DEV, REPORT
from bench.learning.settings import (
    ARRIVAL,
    ASK,
    ASK_RANDOM,
    CURRICULA,
    EVERYTHING,
    FULL,
    KTO_CHECKED,
    LEARNERS,
    SFT,
    TRIED,
    TRIED_KTO,
    TRIED_PICKS,
    TRIED_SHARES,
    TUNER,
    find_setting,
    settings,
)
from learners.job_files import write_whole

ROOT = Path(__file__).resolve().parents[2]
CELLS = ROOT / ".cache" / "bench-learning"
BACKLOG = 10  # examples told for each one that an update takes; answers to ask about, for each of the most that are
Kind = Literal["update", "curve", "ask", "attack", "drift"]
BASES = (("erd", "strong"), ("erd", "weak"), ("booking", "strong"), ("booking", "weak"))
ERD = BASES[:2]


@dataclass(frozen=True, slots=True)
class Point:
    """Rows an update takes, optimizer steps, share of noise, share of edge cases among what is asked, and the kind of
    feedback. `rate` is set where learning rates are compared; `hostile`, `caps` and `gate` in
    attacks alone."""

    name: str = "centre"
    rows: int = 24
    steps: int = 25
    noise: float = 0.2
    rare: float = 0.05
    feedback: Literal["corrections", "thumbs"] = "corrections"
    rate: float | None = None
    hostile: float = 0.0
    caps: bool = True
    gate: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """See the module."""

    kind: Kind
    task: str
    base: str
    setting: str
    seed: int
    point: Point

    @property
    def path(self) -> Path:
        """Below the results' folder."""
        name = f"{self.task}-{self.base}"
        return Path(self.kind) / name / self.point.name / self.setting / f"{self.seed}.json"


CENTRE, THUMBS = Point(), Point("thumbs", feedback="thumbs")
ROWS = (Point("rows-12", rows=12), Point("rows-60", rows=60))
FACTORS = (
    *ROWS,
    Point("steps-10", steps=10),
    Point("steps-60", steps=60),
    Point("noise-0", noise=0.0),
    Point("noise-40", noise=0.4),
    Point("rare-12", rare=0.12),
    THUMBS,
)
LABELS = (Point("rows-6", rows=6), Point("rows-36", rows=36), Point("rows-48", rows=48))
BY_ROWS = tuple(sorted((CENTRE, *ROWS, *LABELS), key=lambda point: point.rows))
MOST_ROWS = BY_ROWS[-1].rows
NOISE = (Point("noise-60", noise=0.6),)
CURVE = Point("curve", steps=60)
RATES = tuple(Point(f"rate-{rate:g}", rate=rate) for rate in TRIED)
KTO_TRIED = Point("kto", feedback="thumbs")
KTO_BESIDE = (SFT.name, "only-hard_negatives", KTO_CHECKED.name)
SHARES = Point("shares")  # the centre, where shares of `active` are compared
SHARED = (SFT.name, *(setting.name for setting in TRIED_SHARES))
PICKS = (Point("picks"), Point("picks-noise-40", noise=0.4))  # where ways to pick a batch are compared
PICKED = (SFT.name, *(setting.name for setting in TRIED_PICKS))
ATTACKS = tuple(
    Point(
        f"hostile-{share:02}{'' if caps else '-no-caps'}{'' if gate else '-no-gate'}",
        hostile=share / 100,
        caps=caps,
        gate=gate,
        noise=0.0,
    )
    for share in (0, 10, 20, 30, 40)
    for caps in (True, False)
    for gate in (True, False)
)
DRIFTS = ("drift-product", "drift-champion-only", "drift-no-gate")
FEW, FEWEST = REPORT[:5], REPORT[:3]
TUNED = f"only-{TUNER}"
PREFERENCE = ("only-preference", "without-preference")


def all_cells() -> Iterator[Cell]:
    """Every cell of the full set, the most telling first; those of settings that this version lacks included.

    What claims and defaults rest on has all ten seeds: the centre and the curves. Everything else has five, drift
    three, so that all of it ends within hours. The tuner takes twenty trainings a cell, and training on everything ten
    times as long: both at the centre alone. What has to do with preference is run on thumbs alone: corrections make no
    preference phase.
    """
    apart = (TUNED, *PREFERENCE)
    usual = [one.name for one in settings() if not one.everything and not one.asks and one.name not in apart]
    learners = [name for name in (f"only-{learner}" for learner in LEARNERS) if name not in apart]
    yield from _grid("update", ERD, RATES, (SFT.name,), DEV)
    yield from _grid("update", ERD, (KTO_TRIED,), (*(one.name for one in TRIED_KTO), *KTO_BESIDE), DEV)
    yield from _grid("update", BASES, PICKS, PICKED, DEV)
    yield from _grid("update", BASES, (SHARES,), SHARED, DEV)
    yield from _grid("update", ERD, (CENTRE,), usual, REPORT)
    yield from _grid("update", ERD, (CENTRE,), (TUNED,), FEW)
    yield from _grid("curve", ERD, (CURVE,), (ARRIVAL.name, SFT.name, FULL.name, *learners), REPORT)
    yield from _grid("update", BASES[2:], (CENTRE,), usual, REPORT)
    yield from _grid("ask", ERD, BY_ROWS, (ASK.name, ASK_RANDOM.name), FEW)
    yield from _grid("update", BASES, (CENTRE,), [setting.name for setting in CURRICULA], FEW)
    yield from _grid("update", BASES, (CENTRE,), (EVERYTHING.name,), FEW)
    yield from _grid("update", ERD, FACTORS, (ARRIVAL.name, SFT.name, FULL.name, *learners), FEW)
    yield from _grid("update", ERD, (THUMBS,), PREFERENCE, FEW)
    yield from _grid("update", ERD, (*LABELS, *NOISE), (ARRIVAL.name, SFT.name, FULL.name, "only-active"), FEW)
    yield from _grid("attack", ERD[:1], ATTACKS, (SFT.name,), FEW)
    for name in DRIFTS:
        yield from _grid("drift", ERD[1:], (Point(name),), (SFT.name,), FEWEST)


def _grid(
    kind: Kind,
    bases: tuple[tuple[str, str], ...],
    points: tuple[Point, ...],
    names: Sequence[str],
    seeds: tuple[int, ...],
) -> Iterator[Cell]:
    """Seed by seed, so that all settings of a seed come one after the other and share what the base said."""
    for seed in seeds:
        for task, base in bases:
            for point in points:
                for name in dict.fromkeys(names):
                    yield Cell(kind, task, base, name, seed, point)


def not_in_this_version(cell: Cell) -> tuple[str, ...]:
    """The learners for which this cell must wait."""
    return find_setting(cell.setting).missing


def write_cell(folder: Path, cell: Cell, found: dict[str, Any]) -> None:
    """The cell's file: what it is, then what came of it."""
    path = folder / cell.path
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({**asdict(cell), **found}).encode())


def read_cells(folder: Path) -> list[dict[str, Any]]:
    """Every result in the folder, in the order of their paths."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.json"))]
