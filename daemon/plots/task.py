"""A task over its life: score over versions, gain of each update with what was on, rewards, batches and curriculum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, pairwise
from statistics import fmean
from typing import Any

from daemon.actions.history import TaskHistory, UpdatePoint, VersionPoint
from daemon.actions.trends import TrendView, p_in_words
from daemon.plots import style

OFF = (False, "off", None)
METRICS = {
    "validator": "validator's score",
    "nll": "likelihood of human texts",
    "nll_chosen": "likelihood of preferred texts",
}
CHANGED = "validator changed"
PALE = 0.35  # opacity of what the newest cannot be compared with
STAGE_LOOKS = ((style.SKY, ""), (style.BLUE, "///"), (style.VERMILLION, "xxx"), (style.GREEN, "..."))
MIDDLE, QUARTERS, ENDS = 9, (4, 14), (0, 18)  # in percentiles of 5, 10, ... 95


def draw(history: TaskHistory) -> Any:
    """The whole sheet."""
    with style.look():
        learners = _learners(history.updates)
        heights = [3.2, 2.6, max(0.9, 0.35 * len(learners) + 0.6), 2.5, 2.3]
        staged = any(update.stages for update in history.updates)
        figure, grid = style.sheet([*heights, *([2.0] if staged else [])], f"Task {history.task}", _subtitle(history))
        axes = [row[0] for row in grid]
        _scores(axes[0], history.versions)
        _gains(axes[1], history.updates)
        _switches(axes[2], history.updates, learners)
        _rewards(axes[3], history)
        _batches(axes[4], history.updates)
        if staged:
            _stages(axes[5], history.updates)
        _same_updates(axes[1:], history)
        return figure


def _subtitle(history: TaskHistory) -> str:
    said = [_trend("scores of champions", history.trend.scores, "versions", 100, "points")]
    said.append(_trend("rewards", history.trend.rewards, "signals", 1, "on the scale from -1 to 1"))
    return f"{history.at:%Y-%m-%d %H:%M} UTC. " + "; ".join(said)


def _trend(what: str, trend: TrendView, of: str, scale: float, unit: str) -> str:
    if trend.p is None:
        return f"{what}: too few for a trend ({trend.count} {of})"
    return (
        f"{what} {trend.direction}: {scale * trend.change:+.2g} {unit} over {trend.count} {of} ({p_in_words(trend.p)})"
    )


def _scores(axis: Any, versions: Sequence[VersionPoint]) -> None:
    axis.set_title("Score over versions")
    if not versions:
        style.nothing(axis, "no adapter has been judged yet")
        return
    crowned = [point for point in versions if point.fate in ("promoted", "base")]
    for line in _lines(crowned):
        axis.plot([p.version for p in line], [p.score for p in line], color=style.BLUE, linewidth=1.6, alpha=0.6)
    for point in versions:
        marker, colour, words = style.FATES.get(point.fate, style.OTHER_FATE)
        reach = [[point.score - point.low], [point.high - point.score]]
        sure = 1.0 if point.comparable else PALE
        axis.errorbar(
            point.version, point.score, yerr=reach, color=colour, alpha=sure, linewidth=1.1, capsize=3, zorder=2
        )
        axis.plot(point.version, point.score, marker, color=colour, alpha=sure, markersize=7, label=words, zorder=3)
        if point.champion:
            axis.plot(
                point.version, point.score, "o", markersize=14, markerfacecolor="none", markeredgecolor="black",
                markeredgewidth=1.3, label="in service", linestyle="none",
            )  # fmt: skip
    for before, after in pairwise(versions):
        if before.base != after.base:
            axis.axvline(after.version - 0.5, color=style.GREY, linestyle=":", label="new base")
        if _measure(before) != _measure(after):
            label = CHANGED if before.metric == after.metric else "another measure"
            axis.axvline(after.version - 0.5, color=style.ORANGE, linestyle="--", label=label)
    pale = "" if all(point.comparable for point in versions) else "; pale: by another validator, not to be compared"
    axis.set_xlabel(f"version; bars: 95 % intervals{pale}")
    style.points_axis(axis, f"{METRICS.get(versions[0].metric, versions[0].metric)},\npoints of 100")
    axis.set_xlim(min(p.version for p in versions) - 0.5, max(p.version for p in versions) + 0.5)
    style.whole_numbers(axis)
    style.legend(axis)


def _lines(points: Sequence[VersionPoint]) -> list[list[VersionPoint]]:
    """Only what was measured alike, on one base, is joined."""
    kinds = [(point.base, _measure(point)) for point in points]
    return [[p for p, kind in zip(points, kinds, strict=True) if kind == one] for one in dict.fromkeys(kinds)]


def _measure(point: VersionPoint) -> tuple[str, str | None]:
    return point.metric, point.yardstick


def _gains(axis: Any, updates: Sequence[UpdatePoint]) -> None:
    """Candidate minus champion, as the gate read it on the same prompts."""
    axis.set_title("What each update gained: candidate minus champion, on the same prompts")
    judged = [update for update in updates if update.difference is not None]
    if not judged:
        style.nothing(axis, "no update has been judged yet")
        return
    axis.axhline(0, color="black", linewidth=0.8)
    for before, after in pairwise(update for update in judged if update.yardstick):
        if before.yardstick != after.yardstick:
            axis.axvline(after.update_id - 0.5, color=style.ORANGE, linestyle="--", label=CHANGED)
    for update in judged:
        marker, colour, words = style.FATES.get(update.state, style.OTHER_FATE)
        assert update.difference is not None, "filtered above"
        if update.low is not None and update.high is not None:
            axis.plot([update.update_id] * 2, [update.low, update.high], color=colour, linewidth=1.6)
        axis.plot(update.update_id, update.difference, marker, color=colour, markersize=7, label=words)
    metrics = [METRICS.get(name, name) for name in dict.fromkeys(update.metric for update in judged) if name]
    style.points_axis(axis, "gain, points of 100")
    axis.set_xlabel(f"update; by {' or '.join(metrics)}; bars: 95 % intervals")
    style.legend(axis)


def _switches(axis: Any, updates: Sequence[UpdatePoint], learners: Sequence[str]) -> None:
    """Which learner was on in which update, and the mean gain of updates with and without it."""
    axis.set_title("Which learners were on, and the mean gain with and without")
    if not learners:
        style.nothing(axis, "no update says which learners were on")
        return
    for row, name in enumerate(learners):
        for update in updates:
            on = update.learners.get(name) not in OFF
            face = style.BLUE if on else "white"
            axis.plot(update.update_id, row, "s", markersize=9, markerfacecolor=face, markeredgecolor=style.BLUE)
        axis.text(1.01, row, _effect(updates, name), transform=axis.get_yaxis_transform(), va="center", fontsize=8.5)
    axis.set_yticks(range(len(learners)), learners)
    axis.set_ylim(len(learners) - 0.4, -0.6)
    axis.grid(visible=False)
    axis.set_xlabel("filled: on. In brackets: updates; no experiment, since updates differ in more than their learners")


def _learners(updates: Sequence[UpdatePoint]) -> list[str]:
    return sorted({name for update in updates for name in update.learners})


def _effect(updates: Sequence[UpdatePoint], name: str) -> str:
    judged = [update for update in updates if update.difference is not None and name in update.learners]
    gains = {on: [u.difference for u in judged if (u.learners[name] not in OFF) == on] for on in (True, False)}
    words = [f"{word} {_mean(gains[on])}" for on, word in ((True, "on"), (False, "off")) if gains[on]]
    return ", ".join(words) or "not judged yet"


def _mean(gains: Sequence[float | None]) -> str:
    found = [gain for gain in gains if gain is not None]
    return f"{100 * fmean(found):+.1f} ({len(found)})"


def _rewards(axis: Any, history: TaskHistory) -> None:
    axis.set_title("Rewards of the feedback that came before each update")
    bands = [band for band in history.rewards if band.percentiles]
    if not bands:
        style.nothing(axis, "no feedback yet")
        return
    after = (history.updates[-1].update_id if history.updates else 0) + 1
    width = 0.36
    for band in bands:
        at = band.update_id or after
        cut = band.percentiles
        axis.plot([at, at], [cut[ENDS[0]], cut[ENDS[1]]], color=style.SKY, linewidth=2, label="5 to 95 %")
        axis.bar(
            at, cut[QUARTERS[1]] - cut[QUARTERS[0]], 2 * width, cut[QUARTERS[0]], color=style.SKY,
            edgecolor=style.BLUE, label="middle half",
        )  # fmt: skip
        axis.plot([at - width, at + width], [cut[MIDDLE]] * 2, color=style.BLUE, linewidth=2.2, label="median")
        axis.plot(at, band.mean, "D", color=style.VERMILLION, markersize=5, label="mean")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_ylim(-1.08, 1.08)
    axis.set_ylabel("reward, -1 to 1")
    style.legend(axis)


def _batches(axis: Any, updates: Sequence[UpdatePoint]) -> None:
    axis.set_title("Batch sizes")
    if not updates:
        style.nothing(axis, "no update yet")
        return
    at = [update.update_id for update in updates]
    axis.bar(at, [u.pool_size for u in updates], 0.72, color="white", edgecolor=style.GREY, label="pool: reserved")
    axis.bar(at, [u.batch_size for u in updates], 0.72, color=style.BLUE, label="batch: trained on")
    axis.set_ylabel("examples")
    style.legend(axis)


def _stages(axis: Any, updates: Sequence[UpdatePoint]) -> None:
    axis.set_title("Curriculum: steps in each stage")
    floor = dict.fromkeys((update.update_id for update in updates), 0)
    names = dict.fromkeys(stage.name for update in updates for stage in update.stages)
    for name, (colour, hatch) in zip(names, cycle(STAGE_LOOKS), strict=False):
        for update in updates:
            steps = sum(stage.steps for stage in update.stages if stage.name == name)
            if steps:
                axis.bar(
                    update.update_id, steps, 0.72, floor[update.update_id], color=colour, hatch=hatch,
                    edgecolor="white", label=name,
                )  # fmt: skip
                floor[update.update_id] += steps
    axis.set_ylabel("steps")
    style.legend(axis)


def _same_updates(axes: Sequence[Any], history: TaskHistory) -> None:
    """The same updates stand below each other."""
    numbers = [update.update_id for update in history.updates]
    if not numbers:
        return
    later = any(band.update_id is None and band.percentiles for band in history.rewards)
    for axis in axes:
        if axis.get_yticks().size or axis.lines or axis.patches:
            axis.set_xlim(numbers[0] - 0.6, numbers[-1] + (1.6 if later else 0.6))
            style.whole_numbers(axis)
    axes[-1].set_xlabel(f"update{f'; {numbers[-1] + 1}: feedback since the last one' if later else ''}")
