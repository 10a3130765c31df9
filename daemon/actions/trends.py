"""Whether a task gets better: trends of its rewards and of its champions' scores, for status, metrics and plots."""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy import Connection

from consumers.rewards import reward
from daemon.actions.context import Context
from learners.batching import in_order
from learners.tracker import Trend, reward_trend, trend_of
from learners.yardsticks import comparable, main_scores
from storage import buffer, registry, updates

RECENT_SIGNALS = 200


class TrendView(BaseModel):
    """`change` from the oldest to the newest of `count` values; `p` is None, and the direction unknown, for too few."""

    direction: str
    change: float
    p: float | None
    count: int


class TrendStatus(BaseModel):
    """Of the last rewards, in [-1, 1], and of the scores of those who have been champion on this base, in [0, 1], as
    far as these were measured by the newest yardstick."""

    rewards: TrendView
    scores: TrendView


def read_trends(context: Context, tx: Connection, task: str) -> TrendStatus:
    """As of now, under the rewards in force."""
    in_force = context.config().task(task)
    settings = in_force.rewards if in_force else context.config().rewards
    signals = in_order(buffer.recent_signals(tx, task, RECENT_SIGNALS))
    rewards = reward_trend([reward(signal, settings) for signal in signals])
    return TrendStatus(rewards=_view(rewards), scores=_view(trend_of(_scores(tx, task))))


def p_in_words(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def _scores(tx: Connection, task: str) -> list[float]:
    """By version, of the newest line: scores of two bases make no trend, nor do those of two validators,
    nor of a validator and of likelihood."""
    line = registry.line_of(tx, task)
    if line is None:
        return []
    reigned = registry.reigned(tx, task, line.base_hash)
    return [score.value for score in comparable(main_scores(updates.scores(tx, task))) if score.adapter in reigned]


def _view(trend: Trend) -> TrendView:
    return TrendView(direction=trend.direction, change=trend.change, p=trend.p, count=trend.count)
