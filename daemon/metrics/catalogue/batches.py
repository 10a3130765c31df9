"""Where examples stand, how far the next batch is, and what goes wrong in the answers."""

from __future__ import annotations

from daemon.metrics.catalogue.metric import Metric

FAILURE_KINDS = Metric(
    "failure_kinds",
    "gauge",
    "Kinds of failure by state, where `learners.hard_negatives` is on.",
    "Does what goes wrong get less, or does something come back? `adaptd status` names the kinds.",
    ("task", "state"),
)
EXAMPLES = Metric(
    "examples",
    "gauge",
    "Examples by where they stand.",
    "Where does feedback end up: waiting, learned, alone without its interaction, set aside?",
    ("task", "state"),
)
BATCH_HAVE = Metric(
    "batch_have",
    "gauge",
    "Examples that count towards the next update.",
    "How far is the batch? The reason in words is in `adaptd status`.",
    ("task",),
)
BATCH_NEED = Metric(
    "batch_need",
    "gauge",
    "Examples that the next update needs.",
    "How many does it wait for, and how does that move with rate and quality?",
    ("task",),
)
BATCH_RIPE = Metric(
    "batch_ripe",
    "gauge",
    "1 while the batch is ripe.",
    "A batch that stays ripe is one that no update takes up.",
    ("task",),
)
BATCH_SIZE = Metric(
    "batch_size",
    "histogram",
    "Examples that a trained update used.",
    "Do updates learn from enough?",
    ("task",),
    (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
)
