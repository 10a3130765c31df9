"""Scores over versions, a panel for each metric: only what was measured alike, on one base, is joined by a line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from daemon.actions.history import TaskHistory, UpdatePoint, VersionPoint
from daemon.plots import style

PALE = 0.35  # opacity of what the newest cannot be compared with
CHANGED = {"validator": "validator changed"}


def by_metric(versions: Sequence[VersionPoint]) -> list[list[VersionPoint]]:
    """In the order in which the metrics come."""
    metrics = dict.fromkeys(point.metric for point in versions)
    return [[point for point in versions if point.metric == metric] for metric in metrics]


def draw_scores(axis: Any, points: Sequence[VersionPoint], history: TaskHistory) -> None:
    """Of one metric; the panels of a task reach over the same versions."""
    metric = style.METRICS.get(points[0].metric, points[0].metric)
    axis.set_title(f"Score over versions: {metric}")
    for line in _lines([point for point in points if point.fate in ("promoted", "base")]):
        axis.plot([p.version for p in line], [p.score for p in line], color=style.BLUE, linewidth=1.6, alpha=0.6)
    first, last = (end(point.version for point in history.versions) for end in (min, max))
    size = style.mark_size(last - first + 1, 7)
    for point in points:
        _draw_point(axis, point, size)
    _changes(axis, points)
    on = "" if points[0].metric in CHANGED else ", each on the texts of its last judging, which are others each time"
    axis.set_xlabel(f"version{on}; bars: 95 % intervals{_about_pale(points)}{_about_missing(history)}")
    style.points_axis(axis, "points of 100")
    axis.set_xlim(first - 0.5, last + 0.5)
    style.whole_numbers(axis)
    style.legend(axis)


def draw_no_scores(axis: Any, updates: Sequence[UpdatePoint]) -> None:
    """Where no adapter has a score, because none was judged, or only against another."""
    axis.set_title("Score over versions")
    if compared := _compared_by(updates):
        words = f"no adapter has a score of its own: the gate went by the {compared},\n"
        style.nothing(axis, f"{words}which compares two adapters; what each update gained is below")
    else:
        style.nothing(axis, "no adapter has been judged yet")


def _compared_by(updates: Sequence[UpdatePoint]) -> str:
    """The measures that compare two adapters, in words; empty where none was used."""
    return " and the ".join(dict.fromkeys(style.METRICS[u.metric] for u in updates if u.metric in style.RELATIVE))


def _draw_point(axis: Any, point: VersionPoint, size: float) -> None:
    marker, colour, words = style.FATES.get(point.fate, style.OTHER_FATE)
    sure = 1.0 if point.comparable else PALE
    reach = [[point.score - point.low], [point.high - point.score]]
    thin = {"linewidth": 1.1, "capsize": 3} if size > 4 else {"linewidth": 0.6}
    axis.errorbar(point.version, point.score, yerr=reach, color=colour, alpha=sure, zorder=2, **thin)
    axis.plot(point.version, point.score, marker, color=colour, alpha=sure, markersize=size, label=words, zorder=3)
    if point.champion:
        axis.plot(
            point.version, point.score, "o", markersize=14, markerfacecolor="none", markeredgecolor="black",
            markeredgewidth=1.3, clip_on=False, label="in service", linestyle="none",
        )  # fmt: skip


def _lines(points: Sequence[VersionPoint]) -> list[list[VersionPoint]]:
    kinds = [(point.base, point.yardstick) for point in points]
    return [[p for p, kind in zip(points, kinds, strict=True) if kind == one] for one in dict.fromkeys(kinds)]


def _changes(axis: Any, points: Sequence[VersionPoint]) -> None:
    """A mark where the base changes, and where the measure does: that of a likelihood changes with the base alone."""
    for before, after in pairwise(points):
        if before.base != after.base:
            axis.axvline(after.version - 0.5, color=style.GREY, linestyle=":", label="new base")
        if before.yardstick != after.yardstick and after.metric in CHANGED:
            axis.axvline(after.version - 0.5, color=style.ORANGE, linestyle="--", label=CHANGED[after.metric])


def _about_pale(points: Sequence[VersionPoint]) -> str:
    if all(point.comparable for point in points):
        return ""
    return f"; pale: {'by another validator' if points[0].metric in CHANGED else 'on another base'}, not to be compared"


def _about_missing(history: TaskHistory) -> str:
    scored = {point.adapter for point in history.versions}
    missing = [u for u in history.updates if u.metric in style.RELATIVE and u.candidate not in scored]
    if not missing:
        return ""
    return f"\n{len(missing)} more have no score of their own, only a gain: by the {_compared_by(missing)}"
