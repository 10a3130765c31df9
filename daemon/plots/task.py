"""A task over its life: scores over versions, gain of each update with what took part, rewards, batches, curriculum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from daemon.actions.history import TaskHistory, UpdatePoint
from daemon.actions.trends import TrendView, p_in_words
from daemon.plots import style
from daemon.plots.gains import draw_gains, draw_parts
from daemon.plots.versions import by_metric, draw_no_scores, draw_scores

STAGE_LOOKS = ((style.SKY, ""), (style.BLUE, "///"), (style.VERMILLION, "xxx"), (style.GREEN, "..."))
MIDDLE, QUARTERS, ENDS = 9, (4, 14), (0, 18)  # in percentiles of 5, 10, ... 95
EMPTY = 0.9  # inches of a panel that says what is missing


def draw(history: TaskHistory) -> Any:
    """The whole sheet: a panel of scores for each metric, then those that stand over the same updates."""
    with style.look():
        metrics, learners = by_metric(history.versions), _learners(history.updates)
        above = [3.2] * len(metrics) or [EMPTY]
        heights = [*above, *_heights(history, learners)]
        figure, grid = style.sheet(heights, f"Task {history.task}", _subtitle(history))
        axes = [row[0] for row in grid]
        for axis, points in zip(axes, metrics, strict=False):
            draw_scores(axis, points, history)
        if not metrics:
            draw_no_scores(axes[0], history.updates)
        _over_updates(axes[len(above) :], history, learners)
        return figure


def _heights(history: TaskHistory, learners: Sequence[str]) -> list[float]:
    """In inches; a panel that has nothing to show but why is low."""
    updates = history.updates
    judged, staged = any(u.difference is not None for u in updates), any(u.stages for u in updates)
    wanted = [
        (2.6, judged),
        (0.35 * len(learners) + 0.6, bool(learners)),
        (2.5, bool(history.rewards)),
        (2.3, bool(updates)),
    ]
    return [max(height if shown else 0.0, EMPTY) for height, shown in wanted] + ([2.0] if staged else [])


def _over_updates(axes: Sequence[Any], history: TaskHistory, learners: Sequence[str]) -> None:
    draw_gains(axes[0], history.updates)
    draw_parts(axes[1], history.updates, learners)
    _rewards(axes[2], history)
    _batches(axes[3], history.updates)
    if len(axes) > 4:
        _stages(axes[4], history.updates)
    _same_updates(axes, history)


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


def _learners(updates: Sequence[UpdatePoint]) -> list[str]:
    return sorted({name for update in updates for name in update.parts})


def _rewards(axis: Any, history: TaskHistory) -> None:
    axis.set_title("Rewards of the feedback that came before each update")
    if not history.rewards:
        style.nothing(axis, "no feedback yet")
        return
    after = _after(history)
    width, size = 0.36, style.mark_size(len(history.updates), 5)
    for band in history.rewards:
        at = band.update_id or after
        if cut := band.percentiles:
            axis.plot([at, at], [cut[ENDS[0]], cut[ENDS[1]]], color=style.SKY, linewidth=2, label="5 to 95 %")
            axis.bar(
                at, cut[QUARTERS[1]] - cut[QUARTERS[0]], 2 * width, cut[QUARTERS[0]], color=style.SKY,
                edgecolor=style.BLUE, label="middle half",
            )  # fmt: skip
            axis.plot([at - width, at + width], [cut[MIDDLE]] * 2, color=style.BLUE, linewidth=2.2, label="median")
        axis.plot(at, band.mean, "D", color=style.VERMILLION, markersize=size, label="mean")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_ylim(-1.08, 1.08)
    axis.set_ylabel("reward, -1 to 1")
    later = f"; {after}: since the last one" if _is_later(history) else ""
    axis.set_xlabel(f"update that it came before{later}" if history.updates else "so far, before any update")
    style.legend(axis)


def _batches(axis: Any, updates: Sequence[UpdatePoint]) -> None:
    axis.set_title("Batch sizes")
    if not updates:
        style.nothing(axis, "no update yet: the first begins when a batch is ripe")
        return
    at = [update.update_id for update in updates]
    axis.bar(at, [u.pool_size for u in updates], 0.72, color="white", edgecolor=style.GREY, label="pool: reserved")
    axis.bar(at, [u.batch_size for u in updates], 0.72, color=style.BLUE, label="batch: trained on")
    axis.set_ylabel("examples")
    axis.set_xlabel("update")
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
    axis.set_xlabel("update")
    style.legend(axis)


def _same_updates(axes: Sequence[Any], history: TaskHistory) -> None:
    """The same updates stand below each other."""
    numbers = [update.update_id for update in history.updates] or [_after(history)]
    for axis in axes:
        if axis.get_yticks().size or axis.lines or axis.patches:
            axis.set_xlim(numbers[0] - 0.6, max(numbers[-1], _after(history) * _is_later(history)) + 0.6)
            style.whole_numbers(axis)


def _after(history: TaskHistory) -> int:
    """Where the feedback since the last update stands."""
    return (history.updates[-1].update_id if history.updates else 0) + 1


def _is_later(history: TaskHistory) -> bool:
    return any(band.update_id is None for band in history.rewards)
