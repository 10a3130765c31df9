"""Which version answers, what it scores, and how soon feedback changes it."""

from __future__ import annotations

from daemon.metrics.catalogue.metric import WAITS_S, Metric

CHAMPION_INFO = Metric(
    "champion_info",
    "gauge",
    "1 for the adapter in service.",
    "Which version answers?",
    ("task", "adapter"),
)
CHAMPION_SINCE = Metric(
    "champion_since_timestamp_seconds",
    "gauge",
    "When the champion became it, in Unix time.",
    "When did anything change last?",
    ("task",),
)
CHAMPION_SERVING = Metric(
    "champion_serving",
    "gauge",
    "1 while the engine answers with the champion.",
    "Do users get what was promoted?",
    ("task",),
)
ADAPTER_SCORE = Metric(
    "adapter_score",
    "gauge",
    "Score of an adapter at its last judging, 0 to 1, by validator, nll, nll_chosen, golden or retention; of the "
    "champion and the newest ten versions, as far as they were measured by the newest yardstick: scores of a validator "
    "that was changed, and likelihoods on another base, are not there. Nor is what a judge or the win-rate head said, "
    "which compare two adapters.",
    "Does it get better from version to version?",
    ("task", "adapter", "metric"),
)
SCORE_TREND = Metric(
    "score_trend",
    "gauge",
    "Change of the score from the first to the last champion on this base, -1 to 1, likewise. Not there for fewer than "
    "five, and 0 where there is no trend.",
    "Does learning still lead upwards?",
    ("task",),
)
FEEDBACK_TO_SERVICE = Metric(
    "feedback_to_service_seconds",
    "histogram",
    "Seconds from the first, or the last, feedback of a batch to its adapter serving.",
    "How soon does feedback change what users get?",
    ("task", "target", "since"),
    WAITS_S,
)
