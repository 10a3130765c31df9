"""The page's parts on single learners: alone and left out, what the tuner found, what asking people is worth."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from bench.learning.cells import BASES, BY_ROWS, CENTRE, ERD, FEW, PREFERENCE, THUMBS, TUNED, Point
from bench.learning.claims import BySeed, Results, metric, select
from bench.learning.settings import ASK, ASK_RANDOM, CURRICULA, FULL, LEARNERS, SFT, TOGETHER
from bench.learning.statistics import Estimate, estimate, holm, p_above, paired
from bench.learning.tables import Rows, about, gain, of, points, table

_CURRICULUM = "curriculum"
_CURRICULUM_WORDS = {
    SFT.name: "in random order",
    f"only-{_CURRICULUM}": "by a probe's losses, easy first",
    **{setting.name: setting.says for setting in CURRICULA},
}


def alone_and_left_out(results: Results) -> str:
    """Alone over SFT, and the loss where it is left out, Holm-corrected over all learners and bases."""
    rows: Rows = []
    tests: dict[str, float] = {}
    for task, base in BASES:
        where = f"{task}-{base}"
        for learner in LEARNERS:
            point = _point_of(learner)
            alone = _differences(results, where, point, f"only-{learner}", SFT.name)
            without = (FULL.name, f"without-{learner}")
            out = _differences(results, where, point, *without) if learner in TOGETHER else {}
            if alone or out:
                tests[f"{where}/{learner}"] = p_above(list(alone.values()), 0.0)
                gains = (gain(estimate(list(d.values())) if d else None) for d in (alone, out))
                rows.append((where, learner, point.name, *gains))
    adjusted = holm(tests)
    rows = [(*row, f"{adjusted[f'{row[0]}/{row[1]}']:.3f}") for row in rows]
    head = ("base", "learner", "point", "alone, over `sft`", "`full` over without it", "p of alone, Holm")
    return table(head, rows)


def _point_of(learner: str) -> Point:
    """Where it can do something."""
    return THUMBS if f"only-{learner}" in PREFERENCE else CENTRE


def _differences(results: Results, base: str, point: Point, one: str, other: str) -> dict[int, float]:
    a, b = (metric(select(results, "update", base, point.name, name), "score") for name in (one, other))
    return {seed: a[seed] - b[seed] for seed in a if seed in b}


def curricula(results: Results) -> str:
    """Each way of `curriculum` over a random order, and over the way that the product has as its default."""
    rows: Rows = []
    cells: list[Mapping[str, Any]] = []
    default = f"only-{_CURRICULUM}"
    for task, base in BASES:
        where = f"{task}-{base}"
        random, usual = (select(results, "update", where, CENTRE.name, name) for name in (SFT.name, default))
        for name in (SFT.name, default, *(each.name for each in CURRICULA)):
            found = select(results, "update", where, CENTRE.name, name)
            found = {seed: one for seed, one in found.items() if seed in FEW}
            if found:
                over = (gain(_over(found, other, "score")) for other in (random, usual))
                rows.append((where, f"`{name}`", _CURRICULUM_WORDS[name], *_means("score", found), *over))
                cells += found.values()
    head = ("base", "setting", "rows come", "score", "over random order", "over the default")
    return table(head, rows) + about(cells)


def tuner(results: Results) -> str:
    """What it adopted, what that was worth, and what the search cost beside the update."""
    rows: Rows = []
    for task, base in ERD:
        found = select(results, "update", f"{task}-{base}", CENTRE.name, TUNED)
        usual = select(results, "update", f"{task}-{base}", CENTRE.name, SFT.name)
        if not found:
            continue
        won = {seed: one for seed, one in found.items() if one["adopted"]}
        rows.append(
            (
                f"{task}-{base}",
                f"{len(won)} of {len(found)}",
                gain(_over(found, usual, "score")),
                gain(_over(won, usual, "score")),
                gain(_over(found, usual, "edge")),
                ", ".join(_adopted(one["tuned"]) for one in won.values()),
                f"{fmean(one['search_cpu_s'] for one in found.values()):.0f}",
                f"{fmean(one['cpu_s'] for one in found.values()):.1f}",
            )
        )
    head = ("base", "adopted", "score over `sft`", "where adopted", "edge pass over `sft`", "adopted: rate x steps")
    cells = of(results, *(f"update/{task}-{base}/{CENTRE.name}/{TUNED}/" for task, base in ERD))
    return table((*head, "CPU s of the search", "of the update"), rows) + about(cells)


def _adopted(settings: Mapping[str, float]) -> str:
    """Older cells searched so many steps, later ones passes."""
    length = f"{settings['passes']:.3g} passes" if "passes" in settings else f"{settings['steps']:.0f}"
    return f"{settings['learning_rate']:.2g} x {length}"


def asked(results: Results) -> str:
    """Score, edge pass and noise by the number of labels, both ways of choosing them."""
    found = []
    for task, base in ERD:
        rows = [row for point in BY_ROWS if (row := _asked_row(results, f"{task}-{base}", point))]
        head = (
            "labels",
            "score, `ask`",
            "`ask-random`",
            "difference",
            "edge pass, `ask`",
            "`ask-random`",
            "difference",
        )
        made = table((*head, "noise, `ask`", "`ask-random`"), rows)
        found.append(f"**{task}, {base} base**\n\n{made}{about(of(results, f'ask/{task}-{base}/'))}")
    return "\n\n".join(found)


def _asked_row(results: Results, base: str, point: Point) -> tuple[str, ...] | None:
    mine, lots = (select(results, "ask", base, point.name, each.name) for each in (ASK, ASK_RANDOM))
    if not mine or not lots:
        return None
    compared = [
        cell for name in ("score", "edge") for cell in (*_means(name, mine, lots), gain(_over(mine, lots, name)))
    ]
    noise = [f"{100 * fmean(one.get('noisy_share', 0.0) for one in each.values()):.0f} %" for each in (mine, lots)]
    return (str(point.rows), *compared, *noise)


def _means(name: str, *both: BySeed) -> list[str]:
    return [points(estimate(list(metric(found, name).values()))) for found in both]


def _over(one: BySeed, other: BySeed, name: str) -> Estimate | None:
    return paired(metric(one, name), metric(other, name))
