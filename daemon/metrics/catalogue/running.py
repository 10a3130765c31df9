"""How the daemon itself runs: its readiness, config, processes and disk."""

from __future__ import annotations

from daemon.metrics.catalogue.metric import Metric

READY = Metric(
    "ready",
    "gauge",
    "1 while every role can do its work.",
    "The same as `/readyz`.",
)
STARTED = Metric(
    "started_timestamp_seconds",
    "gauge",
    "When this daemon started, in Unix time.",
    "Does it restart by itself?",
)
BUILD_INFO = Metric(
    "build_info",
    "gauge",
    "1, with the version in a label.",
    "Which version runs where?",
    ("version",),
)
RELOAD_OK = Metric(
    "config_last_reload_success",
    "gauge",
    "1 when the config in force is that of the file, 0 when the last change to the file was refused.",
    "Does the operator's last edit count?",
)
RELOADS = Metric(
    "config_reloads",
    "counter",
    "Changes of the config file by what became of them.",
    "Who changes what, how often, and how often wrongly?",
    ("outcome",),
)
LOADED_AT = Metric(
    "config_loaded_timestamp_seconds",
    "gauge",
    "When the config in force was loaded, in Unix time.",
    "Was it before or after things changed?",
)
NEEDS_RESTART = Metric(
    "config_needs_restart",
    "gauge",
    "Settings in the file that count only after a restart.",
    "Does the daemon run what the file says?",
)
WORKER_UP = Metric(
    "worker_up",
    "gauge",
    "1 while a supervised process answers.",
    "Is there anything that serves?",
    ("worker",),
)
WORKER_RESTARTS = Metric(
    "worker_restarts",
    "counter",
    "Times that a process of the daemon ended unasked; of the executor, attempts that crashed or were killed.",
    "Does something crash again and again?",
    ("worker",),
)
DISK_USED = Metric(
    "disk_used_bytes",
    "gauge",
    "Bytes on disk by kind: events database, published adapters, job directories, logs.",
    "What grows?",
    ("kind",),
)
DISK_FREE = Metric(
    "disk_free_bytes",
    "gauge",
    "Bytes free where the events database and where the artifacts lie.",
    "A full disk stops intake.",
    ("kind",),
)
