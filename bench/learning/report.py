"""Writes docs/results.md from the committed results: tables and plots between markers, each saying what it rests on.

A part without a single result says that it has not been run; nothing is filled in by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from bench.learning import plots, report_learners
from bench.learning.bases import EDGE, GENERIC, SCORES, recorded
from bench.learning.cells import (
    ATTACKS,
    BASES,
    DRIFTS,
    ERD,
    FACTORS,
    NOISE,
    Kind,
    Point,
    all_cells,
)
from bench.learning.claims import Results, claims_of, metric, select, verdicts
from bench.learning.seeds import DEV, REPORT
from bench.learning.settings import ARRIVAL, FULL, SFT, settings
from bench.learning.statistics import estimate, paired
from bench.learning.tables import Rows, about, gain, of, points, seed_of, table
from bench.learning.tried import tried
from learners.job_files import write_whole

MOST_FALL = 1.0  # points of 100
PAGE = Path(__file__).resolve().parents[2] / "docs" / "results.md"


def write_report(results: Results, page: Path = PAGE) -> None:
    """Every generated part of the page, and its plots. Raises ValueError where the page lacks a part's markers."""
    text = page.read_text(encoding="utf-8")
    for name, body in parts(results).items():
        text = put(text, name, body)
    write_whole(page, text.encode())
    plots.write_all(results, page.parent / "images")


def parts(results: Results) -> dict[str, str]:
    """Each part's Markdown by the name of its markers."""
    made: dict[str, Callable[[Results], str]] = {
        "run": _run,
        "bases": _bases,
        "claims": _claims,
        "settings": _settings,
        "learners": report_learners.alone_and_left_out,
        "curricula": report_learners.curricula,
        "tuner": report_learners.tuner,
        "asked": report_learners.asked,
        "factors": _factors,
        "noise": _noise,
        "attacks": _attacks,
        "drift": _drift,
        "tried": tried,
    }
    return {name: make(results) for name, make in made.items()}


def put(text: str, name: str, body: str) -> str:
    """The page with one part replaced."""
    begin, end = f"<!-- learning.{name}: begin -->", f"<!-- learning.{name}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no {begin} ... {end}; put both lines where the part belongs")
    return f"{before}{begin}\n\n{body}\n\n{end}{after}"


def _run(results: Results) -> str:
    planned: dict[str, list[str]] = {}
    for cell in all_cells():
        part = f"{cell.kind}, {cell.task} {cell.base}"
        planned.setdefault(part, []).append(cell.path.with_suffix("").as_posix())
    there = {one["cell"] for one in results}
    rows = [(part, str(len(set(cells) & there)), str(len(cells))) for part, cells in planned.items()]
    names = {cell.rpartition("/")[0].rpartition("/")[2] for cell in there}
    absent = [f"`{setting.name}`" for setting in settings() if setting.name not in names]
    words = f"Settings without a cell yet: {', '.join(absent)}." if absent else "Every setting has been run."
    hours = sum(one.get("seconds", 0) for one in results) / 3600
    made = table(("part", "cells run", "planned"), rows)
    return f"{made}\n\n{words} All cells together took {hours:.1f} h by the clock."


def _bases(results: Results) -> str:
    rows: Rows = []
    for name, record in recorded().items():
        if (found := record.frozen) is None:
            rows.append((name, "not frozen", "", "", "", ""))
            continue
        wanted = SCORES[record.recipe.name].words()
        cells = of(results, *(f"{kind}/{name.replace('/', '-')}/" for kind in get_args(Kind)))
        others = sum(cell["base_hash"] != found.hash for cell in cells)
        figures = [f"{100 * value:.1f}" for value in (found.score, found.edge, found.generic)]
        rows.append(
            (name, f"{figures[0]} ({wanted})", *figures[1:], f"`{found.hash[:12]}`", f"{others} of {len(cells)}")
        )
    head = ("base", "score (wanted)", f"edge pass ({EDGE.words()})", f"generic ({GENERIC.words()})", "hash")
    return f"{table((*head, 'cells on another hash'), rows)}\n\nMeans over the dev seeds {', '.join(map(str, DEV))}."


def measured_setting(results: Results) -> str:
    """What the claims are made of: everything on, where that has been run, else SFT."""
    return FULL.name if of(results, *(f"update/{t}-{b}/centre/{FULL.name}/" for t, b in ERD)) else SFT.name


def _claims(results: Results) -> str:
    name = measured_setting(results)
    made = claims_of(results, name)
    said = verdicts(made)
    rows = [(c.name, c.wanted, c.found, said[c.name], f"{len(c.values)}") for c in made]
    head = ("claim", "wanted", f"found with `{name}`", "stands", "seeds")
    cells = [one for one in of(results, "update/erd-", "curve/erd-", "ask/erd-") if seed_of(one) in REPORT]
    return table(head, rows) + about(cells if made else [])


def _settings(results: Results) -> str:
    found = []
    for task, base in BASES:
        rows = [row for setting in settings() if (row := _setting_row(results, f"{task}-{base}", setting.name))]
        head = ("setting", "score", "over `sft`", "over `arrival`", "edge pass", "generic", "hard", "noise", "CPU s")
        cells = of(results, f"update/{task}-{base}/centre/")
        found.append(f"**{task}, {base} base**\n\n{table(head, rows)}{about(cells)}")
    return "\n\n".join(found)


def _setting_row(results: Results, base: str, name: str) -> tuple[str, ...] | None:
    found = select(results, "update", base, "centre", name)
    if not found:
        return None
    score = metric(found, "score")
    over = [
        paired(score, metric(select(results, "update", base, "centre", n), "score")) for n in (SFT.name, ARRIVAL.name)
    ]
    shares = [estimate([one.get(key, 0.0) for one in found.values()]) for key in ("hard_share", "noisy_share")]
    return (
        f"`{name}`",
        points(estimate(list(score.values()))),
        "" if name == SFT.name else gain(over[0]),
        "" if name == ARRIVAL.name else gain(over[1]),
        points(estimate(list(metric(found, "edge").values()))),
        points(estimate(list(metric(found, "generic").values()))),
        *(f"{100 * share.mean:.0f} %" for share in shares),
        f"{estimate([one['cpu_s'] for one in found.values()]).mean:.1f}",
    )


def _factors(results: Results) -> str:
    names = [setting.name for setting in settings() if of(results, *_factor_prefixes(setting.name))]
    found = []
    for task, base in ERD:
        rows: Rows = []
        for point in (Point(), *FACTORS):
            cells = [select(results, "update", f"{task}-{base}", point.name, name) for name in names]
            if any(cells):
                means = [points(estimate(list(metric(one, "score").values()))) if one else "" for one in cells]
                rows.append((point.name, *means))
        found.append(f"**{task}, {base} base**\n\n{table(('point', *(f'`{name}`' for name in names)), rows)}")
    return "\n\n".join(found) + about(of(results, *(f"update/erd-{b}/{p.name}/" for _, b in ERD for p in FACTORS)))


def _factor_prefixes(name: str) -> tuple[str, ...]:
    return tuple(f"update/{task}-{base}/{point.name}/{name}/" for task, base in ERD for point in FACTORS)


def _noise(results: Results) -> str:
    points_of = ("noise-0", "centre", "noise-40", *(point.name for point in NOISE))
    shares = ("0 %", "20 %", "40 %", "60 %")
    names = [setting.name for setting in settings()]
    found = []
    for task, base in ERD:
        rows: Rows = []
        for name in names:
            cells = [select(results, "update", f"{task}-{base}", point, name) for point in points_of]
            if cells[0] and cells[2]:
                rows.append(
                    (f"`{name}`", *(points(estimate(list(metric(c, "score").values()))) if c else "" for c in cells))
                )
        found.append(f"**{task}, {base} base**\n\n{table(('setting', *shares), rows)}")
    return "\n\n".join(found) + _image(results, "noise", "update/erd-weak/noise-0/")


def _attacks(results: Results) -> str:
    rows: Rows = []
    for point in ATTACKS:
        found = select(results, "attack", "erd-strong", point.name, SFT.name)
        if not found:
            continue
        ends = estimate(list(metric(found, "score").values()))
        falls = [max(0.0, one["base_metrics"]["score"] - one["lowest"]) for one in found.values()]
        share = [value for one in found.values() for value in one["hostile_share"]]
        rows.append(
            (
                f"{100 * point.hostile:.0f} %",
                "on" if point.caps else "off",
                "on" if point.gate else "off",
                points(ends),
                f"{100 * max(falls):.1f}",
                f"{100 * sum(share) / max(1, len(share)):.0f} %",
                str(sum(verdict == "promote" for one in found.values() for verdict in one["verdicts"])),
                str(len(found)),
            )
        )
    head = ("hostile users", "caps", "gate", "score at the end", "deepest fall", "hostile rows", "promoted", "seeds")
    made = table(head, rows) + about(of(results, "attack/"))
    return f"{made}\n\n{_worst_fall(results)}" + _image(results, "attacks", "attack/")


def _worst_fall(results: Results) -> str:
    """The claim: with caps and gate on, the champion never falls more than a point below its start."""
    guarded = [point for point in ATTACKS if point.caps and point.gate]
    cells = of(results, *(f"attack/erd-strong/{point.name}/" for point in guarded))
    if not cells:
        return "With caps and gate on nothing has been run yet."
    falls = [100 * max(0.0, one["base_metrics"]["score"] - one["lowest"]) for one in cells]
    stands = "holds" if max(falls) <= MOST_FALL else "does not hold"
    return (
        f"That with both on a champion never falls more than {MOST_FALL:g} point below its start {stands} in these "
        f"{len(cells)} runs: the deepest fall is {max(falls):.1f}."
    )


def _drift(results: Results) -> str:
    rows: Rows = []
    for name in DRIFTS:
        found = select(results, "drift", "erd-weak", name, SFT.name)
        if not found:
            continue
        ends = [one["read"][-1] for one in found.values()]
        lows = [min(read["exam"] for read in one["read"][2:]) for one in found.values()]
        rows.append(
            (
                name.removeprefix("drift-"),
                points(estimate([end["exam"] for end in ends])),
                points(estimate([end["first"] for end in ends])),
                points(estimate(lows)),
                f"{100 * max(end['alike'] for end in ends):.0f} %",
                str(len(found)),
            )
        )
    head = ("way", "whole world at the end", "first window at the end", "lowest after ten", "commonest answer", "seeds")
    return table(head, rows) + about(of(results, "drift/")) + _image(results, "drift", "drift/")


def _image(results: Results, name: str, prefix: str) -> str:
    """The plot, where there is something to plot."""
    return f"\n\n![{name}](images/results_{name}.svg)" if of(results, prefix) else ""
