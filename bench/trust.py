"""What `rewards.trust` is worth, by simulated crowds of which the truth is known. `make bench-trust` writes the table.

    python -m bench.trust                     24 seeds, a minute or two; --write puts the tables into docs/preference.md
    python -m bench.trust --quick             4 seeds: to see that it works, not for figures

Each crowd (`bench.trust_crowds`) says 600 things about answers whose worth is known. The rows are made twice by the
product's own code, from signal and join to `rows_of` and `normalise`: with trust as it is found in those votes, and
without. Measured, both times: the share of all row weight on rows of the wrong sign, and that share in batches of 40
drawn by lot, where weight counts in the draw and in the loss. Intervals are two standard errors over the seeds, of
differences within a seed.

Limits: no model is trained, so a point of weight is not a point of score; caps a user and the gate, which stand
against bad feedback too, are left out; how many of which kind there are among real users is not known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console
from rich.progress import Progress

from bench.reporting import Circumstances, Report, parser, progress, write_between
from bench.trust_crowds import ALONE, NOW, SHARED, SLIP, SPARSE, Crowd, Kind, World, draw
from consumers.rewards import RewardSettings, normalise
from consumers.trust import EVERYONE, LOW, Trust, trust_of
from daemon.standing import MOST_VOTES
from learners.lots import chance_of, lot
from learners.router import Standing, rows_of
from storage.records import Example, Row

PAGE = Path(__file__).resolve().parent.parent / "docs" / "preference.md"
BATCH = 40
DRAWS = 5  # batches of one seed
COMPARED = (1, 2, 3, 5, 8, 12, 20, 30)  # with 60 users the last is 1,800 of the MOST_VOTES

FIFTHS = (Crowd("contrary", 0.2), Crowd("careless", 0.2), Crowd("experts", 0.2, deceptive=0.6))
CASES = (
    *(Crowd("contrary", share) for share in (0.0, 0.1, 0.2, 0.4, 0.6)),
    *(Crowd("careless", share) for share in (0.1, 0.2, 0.4, 0.6)),
    Crowd("experts", 0.2),
    *(Crowd("experts", share, deceptive=0.6) for share in (0.1, 0.2, 0.4)),
    Crowd("contrary", 0.6, validated=True),
    Crowd("experts", 0.2, deceptive=0.6, validated=True),
    *(replace(crowd, where="together") for crowd in FIFTHS),
    *(replace(crowd, feedback="ratings") for crowd in FIFTHS),
    *(Crowd("contrary", share, slip=0.25) for share in (0.0, 0.2)),
    *(replace(crowd, votes=SPARSE) for crowd in FIFTHS),
    *(replace(crowd, votes=ALONE) for crowd in FIFTHS),
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Shares in [0, 1] of what a crowd's rows weigh.

    `wrong`: on rows whose sign is not the answer's; `drawn`: the same in drawn batches; `minority`: on rows that
    users of the minority gave the signal of.
    """

    wrong: float
    drawn: float
    minority: float


@dataclass(frozen=True, slots=True)
class Found:
    """One crowd of one seed without trust and with it; mean trust in both sides, and the majority's users below LOW."""

    off: Weighed
    on: Weighed
    trust: float
    trust_minority: float | None
    low: float


def measure(crowd: Crowd, seed: int, draws: int = DRAWS) -> Found:
    """One crowd, one seed."""
    world = draw(crowd, seed)
    examples = world.examples()
    trust = trust_of(world.votes(examples)[:MOST_VOTES])
    rest = [user for user in world.users if user not in world.minority]
    return Found(
        off=_weighed(world, examples, EVERYONE, draws),
        on=_weighed(world, examples, trust, draws),
        trust=trust.of(rest),
        trust_minority=trust.of(sorted(world.minority)) if world.minority else None,
        low=fmean(trust.of([user]) < LOW for user in rest),
    )


def _weighed(world: World, examples: Sequence[Example], trust: Trust, draws: int) -> Weighed:
    rows = [row for one in examples for row in rows_of(one, RewardSettings(), NOW, standing=Standing(trust))]
    last = {event.interaction_id: event.user_id for event in world.events}  # whose signal counts, by `aggregate: last`
    of_minority = [last[row.origin.interaction_id] in world.minority for row in rows]
    drawn = [_drawn(rows, b"%d" % number) for number in range(draws)]
    return Weighed(
        wrong=_share(rows, [_is_wrong(row, world) for row in rows]),
        drawn=fmean(_share(some, [_is_wrong(row, world) for row in some]) for some in drawn),
        minority=_share(rows, of_minority),
    )


def _drawn(rows: Sequence[Row], secret: bytes) -> list[Row]:
    """A batch as it is drawn where no learner chooses, but for caps."""
    return sorted(rows, key=lambda row: lot(chance_of(row.origin, secret), row.weight))[:BATCH]


def _is_wrong(row: Row, world: World) -> bool:
    return (row.reward > 0) != world.answers[row.completion].good


def _share(rows: Sequence[Row], counted: Sequence[bool]) -> float:
    """Of the rows' weight, as an update brings it to mean 1."""
    weights = normalise([row.weight for row in rows])
    return sum(each for each, counts in zip(weights, counted, strict=True) if counts) / sum(weights)


@dataclass(frozen=True, slots=True)
class Line:
    """One crowd over all seeds."""

    crowd: Crowd
    found: tuple[Found, ...]

    def row(self) -> str:
        trusts = [one.trust_minority for one in self.found if one.trust_minority is not None]
        cells = [
            _words(self.crowd),
            _before_after([one.off.wrong for one in self.found], [one.on.wrong for one in self.found]),
            self._worse(),
            _before_after([one.off.drawn for one in self.found], [one.on.drawn for one in self.found]),
            self._minority() if trusts else "",
            f"{fmean(one.trust for one in self.found):.2f}" + (f" / {fmean(trusts):.2f}" if trusts else ""),
            f"{fmean(one.low for one in self.found):.0%}",
        ]
        return "| " + " | ".join(cells) + " |"

    def _worse(self) -> str:
        """In how many seeds trust put a point of weight or more on wrong rows."""
        worse = sum(one.on.wrong - one.off.wrong >= 0.01 for one in self.found)
        return f"{worse} of {len(self.found)}"

    def _minority(self) -> str:
        off, on = (fmean(each.minority for each in side) for side in self._sides())
        return f"{off:.0%} → {on:.0%}"

    def _sides(self) -> tuple[list[Weighed], list[Weighed]]:
        return [one.off for one in self.found], [one.on for one in self.found]


def _before_after(off: Sequence[float], on: Sequence[float]) -> str:
    """Both means in percent, and the mean difference in points with two standard errors."""
    changes = [100 * (after - before) for before, after in zip(off, on, strict=True)]
    error = 2 * stdev(changes) / sqrt(len(changes))
    return f"{fmean(off):.1%} → {fmean(on):.1%} ({round(fmean(changes), 1) + 0.0:+.1f} ± {error:.1f})"


def _words(crowd: Crowd) -> str:
    parts = [f"{crowd.share:.0%} {crowd.kind}" if crowd.share else "all careful"]
    parts += [f"{crowd.deceptive:.0%} deceptive"] if crowd.kind == "experts" else []
    parts += {SHARED: [], SPARSE: ["3% shared"], ALONE: ["nothing shared"]}[crowd.votes]
    parts += ["together"] if crowd.where == "together" else []
    parts += ["stars"] if crowd.feedback == "ratings" else []
    parts += [f"{crowd.slip:.0%} errors"] if crowd.slip != SLIP else []
    parts += ["with a validator"] if crowd.validated else []
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Probe:
    """After so many compared answers each: how often a careful user is trusted more than one of the other kind."""

    compared: int
    trust: float
    contrary: float
    careless: float
    told_contrary: float
    told_careless: float

    def row(self) -> str:
        return (
            f"| {self.compared} | {self.trust:.2f} | {self.contrary:.2f} | {self.told_contrary:.0%} | "
            f"{self.careless:.2f} | {self.told_careless:.0%} |"
        )


def probe(compared: int, seeds: Sequence[int], users: int = 60, share: float = 0.2) -> Probe:
    """Each user says so many things, and one other user judges the same answer each time."""
    careful: list[float] = []
    means, told = {}, {}
    for kind in _TOLD:
        rest: list[float] = []
        minority: list[float] = []
        ahead: list[float] = []
        for seed in seeds:
            world = draw(Crowd(kind, share, users=users, rounds=compared), seed)
            trust = trust_of(world.votes(world.examples())[:MOST_VOTES])
            mine = [trust.of([user]) for user in world.users if user in world.minority]
            others = [trust.of([user]) for user in world.users if user not in world.minority]
            ahead.append(fmean((high > low) + (high == low) / 2 for high in others for low in mine))
            rest, minority = rest + others, minority + mine
        careful += rest
        means[kind], told[kind] = fmean(minority), fmean(ahead)
    return Probe(compared, fmean(careful), means["contrary"], means["careless"], told["contrary"], told["careless"])


_TOLD: tuple[Kind, ...] = ("contrary", "careless")

HEAD = (
    "| crowd | wrong weight, without → with trust | a point worse in | in drawn batches | the minority's weight | "
    "trust: others / minority | others below 0.5 |\n| --- | --- | --- | --- | --- | --- | --- |"
)
HEAD_PROBE = (
    "| answers compared, a user | trust: careful | contrary | told apart | careless | told apart |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def lines(cases: Sequence[Crowd], seeds: Sequence[int], draws: int, pool: Executor, shown: Progress) -> list[Line]:
    """Every crowd on every seed."""
    crowds, each = zip(*product(cases, seeds), strict=True)
    bar = shown.add_task("crowds", total=len(crowds))
    found = []
    for one in pool.map(measure, crowds, each, [draws] * len(crowds), chunksize=8):
        found.append(one)
        shown.advance(bar)
    return [Line(crowd, tuple(found[at * len(seeds) :][: len(seeds)])) for at, crowd in enumerate(cases)]


def probes(compared: Sequence[int], seeds: Sequence[int], pool: Executor, shown: Progress) -> list[Probe]:
    """How many answers it takes."""
    bar, found = shown.add_task("how many answers it takes", total=len(compared)), []
    for one in pool.map(probe, compared, [seeds] * len(compared)):
        found.append(one)
        shown.advance(bar)
    return found


def _markdown(found: Sequence[Line], probed: Sequence[Probe], report: Report) -> str:
    return "\n".join(
        [
            "\n".join([HEAD, *(line.row() for line in found)]),
            "",
            "In a crowd with a fifth of one kind, every answer judged by two:",
            "",
            "\n".join([HEAD_PROBE, *(each.row() for each in probed)]),
            "",
            f"Run: {report.words()}.",
        ]
    )


def main() -> None:
    """Simulate, print, and write where asked to."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=24, help="how many, from --seed on")
    given = options.parse_args()
    if given.quick:
        given.seeds = 4
    before, seeds = Circumstances(), range(given.seed, given.seed + given.seeds)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool, progress() as shown:
        found = lines(CASES, seeds, DRAWS, pool, shown)
        probed = probes(COMPARED, seeds, pool, shown)
    report = before.report("trust", given.seed, {"seeds": given.seeds, "draws": DRAWS}, ())
    words = _markdown(found, probed, report)
    Console().print(words, markup=False, highlight=False, soft_wrap=True)
    if given.json is not None:
        everything = {
            "run": report.words(),
            "crowds": [asdict(line) for line in found],
            "probes": [asdict(each) for each in probed],
        }
        Path(given.json).write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    if given.write and not given.quick:
        write_between(PAGE, "trust", words)


if __name__ == "__main__":
    main()
