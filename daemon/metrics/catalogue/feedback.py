"""What people say of the answers: signals, rewards, similarity, and where they tend."""

from __future__ import annotations

from daemon.metrics.catalogue.metric import REWARDS, SHARES, Metric

SIGNAL = Metric(
    "signal",
    "histogram",
    "Signals of stored feedback, 0 to 1.",
    "How good do people find the answers, and does one kind of feedback say something else than the others?",
    ("task", "kind"),
    SHARES,
)
REWARD = Metric(
    "reward",
    "histogram",
    "Rewards of stored feedback under the config of the moment, -1 to 1.",
    "Is `rewards.midpoint` where the task needs it, or does everything land on one side?",
    ("task",),
    REWARDS,
)
ASKED_REWARD = Metric(
    "asked_reward",
    "histogram",
    "Rewards of feedback that `adaptd ask` had asked for, -1 to 1; the other feedback metrics leave it out.",
    "How bad are the answers that were chosen for being hard, apart from how people find all of them?",
    ("task",),
    REWARDS,
)
SIMILARITY = Metric(
    "similarity",
    "histogram",
    "Similarity of answer and correction by part, 0 to 1.",
    "How much do people change?",
    ("task", "part"),
    SHARES,
)
REWARD_TREND = Metric(
    "reward_trend",
    "gauge",
    "Change of the reward from the oldest to the newest of the last 200 signals, -2 to 2, by Theil and Sen over the "
    "means of 12 blocks. Not there for fewer than 24 signals, and 0 where the test of Mann and Kendall finds no trend.",
    "Do people like the answers better than before?",
    ("task",),
)
