"""What is trained and searched, how long it takes, what it did, and what the gate says."""

from __future__ import annotations

from daemon.metrics.catalogue.metric import WORK_S, Metric

UPDATES_OPEN = Metric(
    "updates_open",
    "gauge",
    "Updates that have not ended, by state.",
    "What is being done now?",
    ("task", "state"),
)
UPDATES_ENDED = Metric(
    "updates_ended",
    "counter",
    "Updates by how they ended, over the life of the store.",
    "Does learning lead anywhere?",
    ("task", "outcome"),
)
JOB_SECONDS = Metric(
    "job_seconds",
    "histogram",
    "Seconds that an attempt took, from its start to its end.",
    "How long does an update take, and how often must one be tried again?",
    ("kind", "outcome"),
    WORK_S,
)
JOB_PHASE_SECONDS = Metric(
    "job_phase_seconds",
    "histogram",
    "Seconds of each phase of an attempt that left a result; the phases of one add up to its whole.",
    "Where does the time go: starting, loading the base, training?",
    ("kind", "phase"),
    WORK_S,
)
UPDATE_LOSS = Metric(
    "update_loss",
    "gauge",
    "Loss of the last trained update by method: in nats a token for sft, not to be compared between methods.",
    "Does training take anything in, and does dev agree?",
    ("task", "method", "point"),
)
UPDATE_STAGE_ROWS = Metric(
    "update_stage_rows",
    "gauge",
    "Rows that each stage of the curriculum drew on in the last trained update.",
    "Does the curriculum open up, and how much does it leave out at the end?",
    ("task", "method", "stage"),
)
STUDY_TRIALS = Metric(
    "study_trials",
    "gauge",
    "Trials of the newest search for settings, wanted and done; 0 where there was none.",
    "Does a search get on, or does the daemon never come to rest for it?",
    ("task", "state"),
)
TUNINGS = Metric(
    "tunings",
    "counter",
    "Settings that a search put in force, and their being turned down again, over the life of the store.",
    "When did training begin to use other settings? `adaptd updates tune` says which.",
    ("task",),
)
LEARNER_FIGURE = Metric(
    "learner_figure",
    "gauge",
    "What a learner counted in the last trained update, by its own names; docs/learners.md says what each is.",
    "What does a learner that is switched on do?",
    ("task", "learner", "figure"),
)
VERDICTS = Metric(
    "verdicts",
    "counter",
    "Looks of the gate by verdict, over the life of the store.",
    "Is the gate open, shut or short of evidence?",
    ("task", "verdict"),
)
