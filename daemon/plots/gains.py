"""What each update gained over the champion of its time, and which learners took part in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from daemon.actions.history import UpdatePoint
from daemon.plots import style

# How each part of a learner is drawn: by shape and filling, not by colour alone.
PARTS = {
    "took part": ("s", {"fillstyle": "full", "color": style.BLUE}),
    "idle": ("s", {"fillstyle": "bottom", "color": style.SKY, "markeredgecolor": style.BLUE}),
    "off": ("s", {"fillstyle": "none", "color": style.BLUE}),
    "unknown": ("x", {"color": style.GREY}),
}
WORDS = {"took part": "took part", "idle": "on, nothing to do", "off": "off", "unknown": "not known"}
WITH = {True: "with", False: "without"}


def draw_gains(axis: Any, updates: Sequence[UpdatePoint]) -> None:
    """Candidate minus champion, as the gate read it on the same prompts."""
    axis.set_title("What each update gained: candidate minus champion, on the same prompts")
    judged = [update for update in updates if update.difference is not None]
    if not judged:
        style.nothing(axis, "no update has been judged yet")
        return
    axis.axhline(0, color="black", linewidth=0.8)
    _changes(axis, judged)
    size = style.mark_size(len(updates), 7)
    for update in judged:
        marker, colour, words = style.FATES.get(update.state, style.OTHER_FATE)
        assert update.difference is not None, "filtered above"
        if update.low is not None and update.high is not None:
            axis.plot([update.update_id] * 2, [update.low, update.high], color=colour, linewidth=size * 0.23)
        axis.plot(update.update_id, update.difference, marker, color=colour, markersize=size, label=words)
    style.points_axis(axis, "gain, points of 100")
    axis.set_xlabel(f"update; by {' or '.join(_metrics(judged))}; bars: 95 % intervals")
    style.legend(axis)


def _changes(axis: Any, judged: Sequence[UpdatePoint]) -> None:
    """Gains by two measures, or by two validators, are no more of one kind than scores are."""
    for before, after in pairwise(judged):
        if before.metric != after.metric:
            axis.axvline(after.update_id - 0.5, color=style.GREY, linestyle="-.", label="another measure")
    for metric, label in (("validator", "validator changed"), ("nll", "new base"), ("nll_chosen", "new base")):
        for before, after in pairwise(u for u in judged if u.metric == metric and u.yardstick):
            if before.yardstick != after.yardstick:
                axis.axvline(after.update_id - 0.5, color=style.ORANGE, linestyle="--", label=label)


def _metrics(judged: Sequence[UpdatePoint]) -> list[str]:
    return [style.METRICS.get(name, name) for name in dict.fromkeys(update.metric for update in judged) if name]


def draw_parts(axis: Any, updates: Sequence[UpdatePoint], learners: Sequence[str]) -> None:
    """Which learner took part in which update, and the mean gain of updates with and without it."""
    axis.set_title("Which learners took part")
    if not learners:
        style.nothing(axis, "no update says which learners were on")
        return
    size = style.mark_size(len(updates), 9)
    for part, (marker, how) in PARTS.items():
        found = [(u.update_id, row) for row, name in enumerate(learners) for u in updates if _part(u, name) == part]
        if found:
            at, rows = zip(*found, strict=True)
            axis.plot(at, rows, marker, markersize=size, markeredgewidth=size * 0.11, **how, label=WORDS[part])
    for row, name in enumerate(learners):
        axis.text(1.01, row, effect(updates, name), transform=axis.get_yaxis_transform(), va="center", fontsize=8.5)
    axis.set_yticks(range(len(learners)), learners)
    axis.set_ylim(len(learners) - 0.4, -0.6)
    axis.grid(visible=False)
    axis.set_xlabel(
        f"update. Right: mean gain{_of_newest(updates)} with and without it (of so many updates): no experiment,\n"
        "since updates differ in more than their learners"
    )
    style.legend(axis, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, handletextpad=0.2, columnspacing=1.2)


def _part(update: UpdatePoint, name: str) -> str:
    return update.parts.get(name, "unknown")


def effect(updates: Sequence[UpdatePoint], name: str) -> str:
    """Mean gains in points of 100, over updates of which it is known whether it took part, by the newest measure."""
    known = [u for u in _alike(updates) if _part(u, name) != "unknown"]
    gains = {with_it: [u.difference for u in known if (_part(u, name) == "took part") == with_it] for with_it in WITH}
    return ", ".join(f"{word} {_mean(gains[which])}" for which, word in WITH.items() if gains[which]) or "not judged"


def _alike(updates: Sequence[UpdatePoint]) -> list[UpdatePoint]:
    """Those that were judged by what the last one was."""
    judged = [update for update in updates if update.difference is not None]
    return [update for update in judged if update.metric == judged[-1].metric]


def _of_newest(updates: Sequence[UpdatePoint]) -> str:
    alike, judged = _alike(updates), [update for update in updates if update.difference is not None]
    return f" by {_metrics(alike)[0]}" if len(alike) < len(judged) else ""


def _mean(gains: Sequence[float | None]) -> str:
    found = [gain for gain in gains if gain is not None]
    return f"{100 * fmean(found):+.1f} ({len(found)})"
