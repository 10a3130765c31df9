"""How every picture looks: colours that the colour-blind tell apart, and never colour alone; points of 100; Agg.

The colours are those of Okabe and Ito ("Color universal design", 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import matplotlib.layout_engine

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY, PALE = "#CC79A7", "#56B4E9", "#5A5A5A", "#D9D9D9"
PHASE_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)
DPI = 130
SUBTITLE_COLUMNS = 140  # that fit the width of a sheet

# Marker and colour of each fate of an update.
FATES = {
    "promoted": ("o", BLUE, "promoted"),
    "base": ("s", GREY, "bare base"),
    "held": ("D", ORANGE, "held: waits for evidence"),
    "rejected": ("X", VERMILLION, "rejected"),
    "expired": ("v", PURPLE, "expired: gave way"),
}
OTHER_FATE = ("P", GREEN, "other")

METRICS = {
    "validator": "validator's score",
    "nll": "likelihood of human texts",
    "nll_chosen": "likelihood of chosen answers",
    "win_rate": "win rate of the head",
    "judge": "win rate of the judge",
}
RELATIVE = ("win_rate", "judge")  # of two adapters: no score of one

_LOOK = {
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
    "svg.hashsalt": "adaptd",
    "svg.fonttype": "none",
}


@contextmanager
def look() -> Any:
    """Inside, matplotlib draws as ours does."""
    with matplotlib.rc_context(_LOOK):
        yield


def sheet(rows: Sequence[float], title: str, subtitle: str, *, columns: int = 1, width: float = 10.5) -> Any:
    """A figure with its axes, one row of axes for each height in inches, below a title of two lines."""
    figure = Figure(
        figsize=(width, sum(rows) + 1.0),
        layout=matplotlib.layout_engine.ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08),
    )
    axes = figure.subplots(len(rows), columns, gridspec_kw={"height_ratios": list(rows)}, squeeze=False)
    wrapped = fill(subtitle, SUBTITLE_COLUMNS)
    room = "\n" * (1 + wrapped.count("\n"))
    figure.suptitle(f"{title}{room}", x=0.012, ha="left", fontsize=14, fontweight="bold")
    figure.text(0.012, 1 - 0.50 / figure.get_size_inches()[1], wrapped, ha="left", va="top", color=GREY, fontsize=8.5)
    return figure, axes


def points_axis(axis: Any, label: str) -> None:
    """Shares of [0, 1] shown in points of 100."""
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}"))
    axis.set_ylabel(label)


def whole_numbers(axis: Any) -> None:
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=20, min_n_ticks=1))


def mark_size(count: int, most: float) -> float:
    """In points, so that `count` marks on the width of a sheet do not touch, down to what can still be seen."""
    return min(most, max(2.2, 360 / max(1, count)))


def nothing(axis: Any, words: str) -> None:
    """An axis without data says why."""
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes, color=GREY)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)


def legend(axis: Any, **changes: Any) -> None:
    """Beside the axis, so that it covers nothing."""
    handles, labels = axis.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        place = {"loc": "upper left", "bbox_to_anchor": (1.005, 1.02), "fontsize": 8.5, "borderaxespad": 0.0}
        axis.legend(once.values(), once.keys(), **(place | changes))


def save(figure: Any, path: Path) -> None:
    """PNG or SVG by the ending; without the time of day, so that the same picture has the same bytes."""
    kind = path.suffix.lower().removeprefix(".")
    with look():
        figure.savefig(path, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else {"Software": None})
    plt.close("all")
