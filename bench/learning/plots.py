"""The plots of docs/results.md, as SVG, the same bytes for the same results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.learning.cells import ATTACKS, DRIFTS
from bench.learning.claims import Results, metric, select
from bench.learning.settings import ARRIVAL, SFT, settings
from bench.learning.statistics import estimate

FEWEST_SEEDS = 3  # an interval of two says nothing
APART = 0.006  # of the axis
ROOM = 8.0  # points above and below the means; what of an interval is beyond is cut off


def write_all(results: Results, folder: Path) -> None:
    """Those that there is something to show in; matplotlib is loaded only then. One without anything is taken away."""
    made = {"noise": _noise(results), "attacks": _attacks(results), "drift": _drift(results)}
    for name, lines in made.items():
        path = folder / f"results_{name}.svg"
        if lines:
            _draw(path, lines, *_LABELS[name])
        else:
            path.unlink(missing_ok=True)


_LABELS = {
    "noise": ("share of noise in what is told (%)", "score after one update (erd, weak base)"),
    "attacks": ("share of hostile users (%)", "score after three updates (erd, strong base)"),
    "drift": ("updates", "score over the whole world (erd, weak base)"),
}
Lines = dict[str, list[tuple[float, float, float]]]  # by legend: (x, mean, half of the interval), in points of 100


def _noise(results: Results) -> Lines:
    places = ((0, "noise-0"), (20, "centre"), (40, "noise-40"), (60, "noise-60"))
    lines: Lines = {}
    for setting in settings():
        found = [(x, select(results, "update", "erd-weak", point, setting.name)) for x, point in places]
        line = [_place(x, list(metric(one, "score").values())) for x, one in found if one]
        if len(line) > 1 and (setting.name in (ARRIVAL.name, SFT.name, "full") or setting.name.startswith("only")):
            lines[setting.name] = line
    return lines


def _attacks(results: Results) -> Lines:
    lines: Lines = {}
    for point in ATTACKS:
        found = select(results, "attack", "erd-strong", point.name, SFT.name)
        name = f"caps {'on' if point.caps else 'off'}, gate {'on' if point.gate else 'off'}"
        if found:
            lines.setdefault(name, []).append(_place(100 * point.hostile, list(metric(found, "score").values())))
    return lines


def _drift(results: Results) -> Lines:
    lines: Lines = {}
    for name in DRIFTS:
        reads: dict[int, list[float]] = {}
        for one in select(results, "drift", "erd-weak", name, SFT.name).values():
            for read in one["read"]:
                reads.setdefault(read["updates"], []).append(read["exam"])
        if reads:
            lines[name.removeprefix("drift-")] = [_place(x, values) for x, values in sorted(reads.items())]
    return lines


def _place(x: float, values: Sequence[float]) -> tuple[float, float, float]:
    found = estimate(values)
    half = 100 * (found.high - found.mean) if len(values) >= FEWEST_SEEDS else 0.0
    return x, 100 * found.mean, half


def _draw(path: Path, lines: Lines, x_label: str, y_label: str) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "adaptd"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    last = max(x for places in lines.values() for x, *_ in places)
    for at, (name, places) in enumerate(lines.items()):
        x, means, halves = zip(*places, strict=True)
        aside = (at - (len(lines) - 1) / 2) * APART * last  # lines that run together stay apart
        axes.errorbar([one + aside for one in x], means, yerr=halves, capsize=2, marker="o", markersize=3, label=name)
    seen = [mean for places in lines.values() for _, mean, _ in places]
    axes.set_ylim(max(0.0, min(seen) - ROOM), min(101.0, max(seen) + ROOM))
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(path, format="svg", metadata=metadata, bbox_inches="tight")
    pyplot.close(figure)
