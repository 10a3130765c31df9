"""One update: its losses from step to step, the rewards of what it learned from, and the gate's reading."""

from __future__ import annotations

import re
from itertools import cycle
from textwrap import shorten
from typing import Any

from daemon.actions.history import PhaseHistory, UpdateHistory
from daemon.plots import style
from daemon.plots.task import STAGE_LOOKS

METHODS = {
    "sft": ("supervised fine-tuning", "loss, nats a token"),
    "dpo": ("preferences", "loss of dpo"),
    "kto": ("single judgements", "loss of kto"),
}


WAITING = ("queued", "running")
REASON_LENGTH = 220  # characters: two lines


def draw(history: UpdateHistory) -> Any:
    """The whole sheet: a row for each phase, then rewards and scores side by side."""
    with style.look():
        phases: list[PhaseHistory | None] = [*history.phases] or [None]
        figure, grid = style.sheet([*(3.4 for _ in phases), 3.0], _title(history), _subtitle(history), columns=2)
        for row, phase in zip(grid, phases, strict=False):
            for axis in row:
                axis.remove()
            place = row[0].get_gridspec()[row[0].get_subplotspec().rowspan.start, :]
            _losses(figure.add_subplot(place), phase, history.state)
        _rewards(grid[-1][0], history)
        _verdict(grid[-1][1], history)
        return figure


def _title(history: UpdateHistory) -> str:
    return f"Update {history.update_id} of task {history.task}: {history.state}"


def _subtitle(history: UpdateHistory) -> str:
    reason = shorten(history.reason, REASON_LENGTH, placeholder=" ...")
    return (
        f"{history.candidate or 'no candidate'} against {history.champion}, begun {history.created_at:%Y-%m-%d %H:%M} "
        f"UTC, {history.batch_size} examples of a pool of {history.pool_size}; {_learners(history)}"
        + (f". {history.state.capitalize()}: {reason}" if reason else "")
    )


def _learners(history: UpdateHistory) -> str:
    """Who took part; of an update that is not trained, who is on."""
    if not history.parts:
        return "learners: not known"
    known = [name for name, part in history.parts.items() if part == "took part"]
    unknown = [name for name, part in history.parts.items() if part == "unknown"]
    said = f"learners that took part: {', '.join(known) or 'none'}"
    return said + (f" (on, but not known to: {', '.join(unknown)})" if unknown else "")


def _losses(axis: Any, phase: PhaseHistory | None, state: str) -> None:
    method = phase.method if phase else ""
    words, unit = METHODS.get(method, (method, "loss"))
    room = {"pad": 20} if phase and phase.stages else {}  # for the stages' names
    axis.set_title(f"Losses of {method}: {words}" if method else "Losses", **room)
    curve = phase.curve if phase else None
    if phase is None or curve is None or not curve.steps:
        why = "nothing was trained yet" if state in WAITING else "it ended before a step was trained"
        style.nothing(axis, f"no curve was kept: {why}, or the job's directory is gone")
        return
    axis.plot(curve.steps, curve.loss, color=style.SKY, linewidth=1.1, label="train, each step")
    axis.plot(curve.steps, _smooth(curve.loss), color=style.BLUE, linewidth=2, label="train, smoothed")
    if curve.dev:
        axis.plot(
            curve.dev_steps, curve.dev, "--D", color=style.VERMILLION, linewidth=1.6, markersize=6, label="dev fold"
        )
    if phase.best_step is not None:
        best = phase.steps_before + phase.best_step
        axis.axvline(best, color=style.GREEN, linestyle=":", linewidth=2, label=f"best step, {best}: kept")
    _stage_marks(axis, phase)
    stopping = _early_stopping(phase)
    axis.set_xlabel(f"step of the update; early stopping {stopping}" if stopping else "step of the update")
    axis.set_ylabel(unit)
    axis.set_ylim(bottom=0 if min([*curve.loss, *curve.dev]) >= 0 else None)
    style.whole_numbers(axis)
    style.legend(axis)


def _early_stopping(phase: PhaseHistory) -> str:
    """The phase counts its own steps, the axis those of the update."""
    return re.sub(r"(?<=step )\d+", lambda step: str(int(step[0]) + phase.steps_before), phase.early_stopping)


def _stage_marks(axis: Any, phase: PhaseHistory) -> None:
    """The curriculum's stages as bands behind the curves, their names above, where no curve comes."""
    at = phase.steps_before
    for stage, (colour, _) in zip(phase.stages, cycle(STAGE_LOOKS), strict=False):
        axis.axvspan(at + 0.5, at + stage.steps + 0.5, color=colour, alpha=0.10, linewidth=0)
        axis.text(
            at + stage.steps / 2 + 0.5, 1.01, stage.name, transform=axis.get_xaxis_transform(), ha="center",
            va="bottom", fontsize=8.5, color=style.GREY,
        )  # fmt: skip
        at += stage.steps


def _smooth(values: tuple[float, ...], kept: float = 0.75) -> list[float]:
    """The mean of all values so far, each weighing `kept` times as much as the one after it."""
    found: list[float] = []
    total = weight = 0.0
    for value in values:
        total, weight = kept * total + value, kept * weight + 1
        found.append(total / weight)
    return found


def _rewards(axis: Any, history: UpdateHistory) -> None:
    axis.set_title("Rewards of the feedback in its batch")
    total = sum(history.rewards)
    if not total:
        style.nothing(axis, "no feedback of it is left")
        return
    width = 2 / len(history.rewards)
    left = [-1 + width * place for place in range(len(history.rewards))]
    colours = [style.VERMILLION if at < 0 else style.BLUE for at in left]
    hatches = ["///" if at < 0 else "" for at in left]
    axis.bar(left, history.rewards, width, align="edge", color=colours, hatch=hatches, edgecolor="white")
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_xlim(-1, 1)
    axis.set_xlabel(f"reward of the answer that was judged ({total} signals)")
    axis.set_ylabel("signals")


def _verdict(axis: Any, history: UpdateHistory) -> None:
    """Both scores, and the interval of their difference drawn on the candidate's: that is what the gate judges."""
    axis.set_title("What the gate read")
    champion, candidate = history.champion_score, history.candidate_score
    if champion is None or candidate is None:
        style.nothing(axis, "not judged yet" if history.state in (*WAITING, "trained") else "not judged")
        return
    axis.barh([1, 0], [champion, candidate], 0.55, color=[style.PALE, style.BLUE], edgecolor=style.GREY)
    for row, score in ((1, champion), (0, candidate)):
        axis.text(0.012, row, f"{100 * score:.1f}", va="center", fontweight="bold", color="black" if row else "white")
    if history.interval is not None:
        low, high = (champion + end for end in history.interval)
        axis.plot([low, high], [0, 0], color="black", linewidth=2.2, marker="|", markersize=11)
    axis.axvline(champion, color=style.GREY, linestyle=":")
    axis.set_yticks([1, 0], [history.champion, history.candidate or "candidate"])
    axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")
    axis.set_xlim(0, max(1.0, champion, candidate) * 1.02)
    metric = style.METRICS.get(history.metric or "", history.metric or "")
    axis.set_xlabel(f"{metric}, points of 100; bar: 95 % interval of the gain")
    axis.grid(axis="y", visible=False)
