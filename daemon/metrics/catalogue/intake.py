"""What arrives, what became of it, and whether intake keeps up."""

from __future__ import annotations

from daemon.metrics.catalogue.metric import WAITS_S, Metric

EVENTS = Metric(
    "events",
    "counter",
    "Events by kind and what became of them.",
    "Is intake keeping what arrives, and who sends what cannot be read?",
    ("source", "kind", "outcome"),
)
EVENTS_STORED = Metric(
    "events_stored",
    "counter",
    "Stored events by task and kind.",
    "What is there to learn from?",
    ("task", "kind"),
)
UNKNOWN_FIELDS = Metric(
    "unknown_fields",
    "counter",
    "Fields of events that adaptd does not know; they are kept in `context`.",
    "Does a sender misspell a field, or use a newer schema?",
    ("source",),
)
SOURCE_LAG = Metric(
    "source_lag",
    "gauge",
    "Records that wait in the source.",
    "Is intake fast enough?",
    ("source",),
)
SOURCE_LOST = Metric(
    "source_lost_records",
    "counter",
    "Records gone from the source (by its retention) before they were read, since this daemon started.",
    "Feedback that nobody will ever see; I1 counts it apart.",
    ("source",),
)
SOURCE_UP = Metric(
    "source_up",
    "gauge",
    "1 while the source can be polled, 0 while it is degraded.",
    "Is the broker or file there? The reason is in `adaptd status`.",
    ("source",),
)
JOIN_DELAY = Metric(
    "join_delay_seconds",
    "histogram",
    "Seconds between an interaction and feedback on it, by receipt, whichever came first; counted when both are there.",
    "Is `rewards.join_wait` long enough, and does feedback overtake its interaction?",
    ("task", "first"),
    WAITS_S,
)
STORE_QUEUED = Metric(
    "store_queued_bytes",
    "gauge",
    "Bytes that wait for the store's writer.",
    "Is the disk the bottleneck?",
)
