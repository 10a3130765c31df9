"""Every metric of the daemon, declared once: its name, its labels, what it says and why anybody would want to know.

The page that Prometheus reads, `docs/metrics.md` and the tests of alerts and dashboard are all made from this list, so
nothing can be measured and stay unexplained. Labels come from closed lists: tasks that the config declares (any other
is `other`), kinds, outcomes, names of sources. No user, no id, no text (I8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricKind = Literal["counter", "gauge", "histogram"]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
REWARDS = (-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
WORK_S = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
WAITS_S = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is without the prefix `adaptd_` and without a counter's `_total`; `what` says the unit."""

    name: str
    kind: MetricKind
    about: str  # its section in the docs
    what: str
    why: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As Prometheus knows it."""
        return f"adaptd_{self.name}_total" if self.kind == "counter" else f"adaptd_{self.name}"

    @property
    def help(self) -> str:
        return f"{self.what} {self.why}"


# What each label may hold, for the docs.
LABELS = {
    "source": "`name` of a source in the config (`http`, `kafka`)",
    "kind": "events: one of the eight kinds, or `unreadable`; jobs: `train`, `evaluate`; disk: `events`, `artifacts`, "
    "`jobs`, `logs`",
    "outcome": "events: `stored`, `duplicate`, `dead_letter`, `refused`; updates: `promoted`, `rejected`, `failed`, "
    "`cancelled`, `expired`; jobs: `done`, `failed`, `cancelled`; reloads: `ok`, `refused`",
    "task": "a task that the config declares; `other` for all the rest together",
    "first": "`interaction` or `feedback`: which of the two came first",
    "part": "`edit` or `bleu`",
    "state": "updates: `queued`, `running`, `trained`, `held`; examples: `open`, `learned`, `set_aside`, `unlabelled`, "
    "`unjoined`, `withdrawn`, `held_out`, of which each is in one; and `reserved` (of the open), `gate`, "
    "`gate_labelled`, `dev_labelled` (of the others), which overlap with these; kinds of failure: `open`, `shrinking`, "
    "`fixed`, `back again`",
    "phase": "`start` (fork and notice), what the worker names (`load`, `train`), `other`",
    "method": "what learned in that phase of training: `sft`, `dpo`, `kto`",
    "point": "`first` and `last` step of training, `dev` on the held-out dev rows",
    "stage": "`easy`, `medium`, `hard` of the curriculum",
    "learner": "one of the files in learners/hooks, such as `curriculum`",
    "figure": "what that learner counts; docs/learners.md has a table of them",
    "verdict": "`promote`, `hold`, `reject`",
    "adapter": "`<task>@v<N>`; only the champion and the newest versions",
    "metric": "what scored it, such as `validator`",
    "target": "`engine` or `directory`",
    "since": "`first` or `last`: which of the batch's feedback events the time counts from",
    "worker": "`engine`, `gateway`, `executor` (training and evaluation workers), `engine-<hash>` of an old base",
    "version": "of adaptd",
    "code": "HTTP status that the gateway answered with",
    "reason": "why the gateway could not record an interaction: one of a short list",
}

EVENTS = Metric(
    "events",
    "counter",
    "Intake",
    "Events by kind and what became of them.",
    "Is intake keeping what arrives, and who sends what cannot be read?",
    ("source", "kind", "outcome"),
)
EVENTS_STORED = Metric(
    "events_stored",
    "counter",
    "Intake",
    "Stored events by task and kind.",
    "What is there to learn from?",
    ("task", "kind"),
)
UNKNOWN_FIELDS = Metric(
    "unknown_fields",
    "counter",
    "Intake",
    "Fields of events that adaptd does not know; they are kept in `context`.",
    "Does a sender misspell a field, or use a newer schema?",
    ("source",),
)
SOURCE_LAG = Metric(
    "source_lag",
    "gauge",
    "Intake",
    "Records that wait in the source.",
    "Is intake fast enough?",
    ("source",),
)
SOURCE_LOST = Metric(
    "source_lost_records",
    "counter",
    "Intake",
    "Records gone from the source (by its retention) before they were read, since this daemon started.",
    "Feedback that nobody will ever see; I1 counts it apart.",
    ("source",),
)
SOURCE_UP = Metric(
    "source_up",
    "gauge",
    "Intake",
    "1 while the source can be polled, 0 while it is degraded.",
    "Is the broker or file there? The reason is in `adaptd status`.",
    ("source",),
)
JOIN_DELAY = Metric(
    "join_delay_seconds",
    "histogram",
    "Intake",
    "Seconds between an interaction and feedback on it, by receipt, whichever came first; counted when both are there.",
    "Is `rewards.join_wait` long enough, and does feedback overtake its interaction?",
    ("task", "first"),
    WAITS_S,
)
STORE_QUEUED = Metric(
    "store_queued_bytes",
    "gauge",
    "Intake",
    "Bytes that wait for the store's writer.",
    "Is the disk the bottleneck?",
)
SIGNAL = Metric(
    "signal",
    "histogram",
    "Feedback",
    "Signals of stored feedback, 0 to 1.",
    "How good do people find the answers, and does one kind of feedback say something else than the others?",
    ("task", "kind"),
    SHARES,
)
REWARD = Metric(
    "reward",
    "histogram",
    "Feedback",
    "Rewards of stored feedback under the config of the moment, -1 to 1.",
    "Is `rewards.midpoint` where the task needs it, or does everything land on one side?",
    ("task",),
    REWARDS,
)
ASKED_REWARD = Metric(
    "asked_reward",
    "histogram",
    "Feedback",
    "Rewards of feedback that `adaptd ask` had asked for, -1 to 1; the other feedback metrics leave it out.",
    "How bad are the answers that were chosen for being hard, apart from how people find all of them?",
    ("task",),
    REWARDS,
)
SIMILARITY = Metric(
    "similarity",
    "histogram",
    "Feedback",
    "Similarity of answer and correction by part, 0 to 1.",
    "How much do people change?",
    ("task", "part"),
    SHARES,
)
FAILURE_KINDS = Metric(
    "failure_kinds",
    "gauge",
    "Batches",
    "Kinds of failure by state, where `learners.hard_negatives` is on.",
    "Does what goes wrong get less, or does something come back? `adaptd status` names the kinds.",
    ("task", "state"),
)
EXAMPLES = Metric(
    "examples",
    "gauge",
    "Batches",
    "Examples by where they stand.",
    "Where does feedback end up: waiting, learned, alone without its interaction, set aside?",
    ("task", "state"),
)
BATCH_HAVE = Metric(
    "batch_have",
    "gauge",
    "Batches",
    "Examples that count towards the next update.",
    "How far is the batch? The reason in words is in `adaptd status`.",
    ("task",),
)
BATCH_NEED = Metric(
    "batch_need",
    "gauge",
    "Batches",
    "Examples that the next update needs.",
    "How many does it wait for, and how does that move with rate and quality?",
    ("task",),
)
BATCH_RIPE = Metric(
    "batch_ripe",
    "gauge",
    "Batches",
    "1 while the batch is ripe.",
    "A batch that stays ripe is one that no update takes up.",
    ("task",),
)
BATCH_SIZE = Metric(
    "batch_size",
    "histogram",
    "Batches",
    "Examples that a trained update used.",
    "Do updates learn from enough?",
    ("task",),
    (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
)
UPDATES_OPEN = Metric(
    "updates_open",
    "gauge",
    "Updates",
    "Updates that have not ended, by state.",
    "What is being done now?",
    ("task", "state"),
)
UPDATES_ENDED = Metric(
    "updates_ended",
    "counter",
    "Updates",
    "Updates by how they ended, over the life of the store.",
    "Does learning lead anywhere?",
    ("task", "outcome"),
)
JOB_SECONDS = Metric(
    "job_seconds",
    "histogram",
    "Updates",
    "Seconds that an attempt took, from its start to its end.",
    "How long does an update take, and how often must one be tried again?",
    ("kind", "outcome"),
    WORK_S,
)
JOB_PHASE_SECONDS = Metric(
    "job_phase_seconds",
    "histogram",
    "Updates",
    "Seconds of each phase of an attempt that left a result; the phases of one add up to its whole.",
    "Where does the time go: starting, loading the base, training?",
    ("kind", "phase"),
    WORK_S,
)
UPDATE_LOSS = Metric(
    "update_loss",
    "gauge",
    "Updates",
    "Loss of the last trained update by method: in nats a token for sft, not to be compared between methods.",
    "Does training take anything in, and does dev agree?",
    ("task", "method", "point"),
)
UPDATE_STAGE_ROWS = Metric(
    "update_stage_rows",
    "gauge",
    "Updates",
    "Rows that each stage of the curriculum drew on in the last trained update.",
    "Does the curriculum open up, and how much does it leave out at the end?",
    ("task", "method", "stage"),
)
STUDY_TRIALS = Metric(
    "study_trials",
    "gauge",
    "Updates",
    "Trials of the newest search for settings, wanted and done; 0 where there was none.",
    "Does a search get on, or does the daemon never come to rest for it?",
    ("task", "state"),
)
TUNINGS = Metric(
    "tunings",
    "counter",
    "Updates",
    "Settings that a search put in force, and their being turned down again, over the life of the store.",
    "When did training begin to use other settings? `adaptd updates tune` says which.",
    ("task",),
)
LEARNER_FIGURE = Metric(
    "learner_figure",
    "gauge",
    "Updates",
    "What a learner counted in the last trained update, by its own names; docs/learners.md says what each is.",
    "What does a learner that is switched on do?",
    ("task", "learner", "figure"),
)
VERDICTS = Metric(
    "verdicts",
    "counter",
    "Updates",
    "Looks of the gate by verdict, over the life of the store.",
    "Is the gate open, shut or short of evidence?",
    ("task", "verdict"),
)
CHAMPION_INFO = Metric(
    "champion_info",
    "gauge",
    "Adapters",
    "1 for the adapter in service.",
    "Which version answers?",
    ("task", "adapter"),
)
CHAMPION_SINCE = Metric(
    "champion_since_timestamp_seconds",
    "gauge",
    "Adapters",
    "When the champion became it, in Unix time.",
    "When did anything change last?",
    ("task",),
)
CHAMPION_SERVING = Metric(
    "champion_serving",
    "gauge",
    "Adapters",
    "1 while the engine answers with the champion.",
    "Do users get what was promoted?",
    ("task",),
)
ADAPTER_SCORE = Metric(
    "adapter_score",
    "gauge",
    "Adapters",
    "Score of an adapter at its last judging, 0 to 1, by validator, nll, nll_chosen, golden or retention; of the "
    "champion and the newest ten versions, as far as they were measured by the newest yardstick: scores of a validator "
    "that was changed, and likelihoods on another base, are not there. Nor is what a judge or the win-rate head said, "
    "which compare two adapters.",
    "Does it get better from version to version?",
    ("task", "adapter", "metric"),
)
REWARD_TREND = Metric(
    "reward_trend",
    "gauge",
    "Feedback",
    "Change of the reward from the oldest to the newest of the last 200 signals, -2 to 2, by Theil and Sen over the "
    "means of 12 blocks. Not there for fewer than 24 signals, and 0 where the test of Mann and Kendall finds no trend.",
    "Do people like the answers better than before?",
    ("task",),
)
SCORE_TREND = Metric(
    "score_trend",
    "gauge",
    "Adapters",
    "Change of the score from the first to the last champion on this base, -1 to 1, likewise. Not there for fewer than "
    "five, and 0 where there is no trend.",
    "Does learning still lead upwards?",
    ("task",),
)
FEEDBACK_TO_SERVICE = Metric(
    "feedback_to_service_seconds",
    "histogram",
    "Adapters",
    "Seconds from the first, or the last, feedback of a batch to its adapter serving.",
    "How soon does feedback change what users get?",
    ("task", "target", "since"),
    WAITS_S,
)
READY = Metric(
    "ready",
    "gauge",
    "Daemon",
    "1 while every role can do its work.",
    "The same as `/readyz`.",
)
STARTED = Metric(
    "started_timestamp_seconds",
    "gauge",
    "Daemon",
    "When this daemon started, in Unix time.",
    "Does it restart by itself?",
)
BUILD_INFO = Metric(
    "build_info",
    "gauge",
    "Daemon",
    "1, with the version in a label.",
    "Which version runs where?",
    ("version",),
)
RELOAD_OK = Metric(
    "config_last_reload_success",
    "gauge",
    "Daemon",
    "1 when the config in force is that of the file, 0 when the last change to the file was refused.",
    "Does the operator's last edit count?",
)
RELOADS = Metric(
    "config_reloads",
    "counter",
    "Daemon",
    "Changes of the config file by what became of them.",
    "Who changes what, how often, and how often wrongly?",
    ("outcome",),
)
LOADED_AT = Metric(
    "config_loaded_timestamp_seconds",
    "gauge",
    "Daemon",
    "When the config in force was loaded, in Unix time.",
    "Was it before or after things changed?",
)
NEEDS_RESTART = Metric(
    "config_needs_restart",
    "gauge",
    "Daemon",
    "Settings in the file that count only after a restart.",
    "Does the daemon run what the file says?",
)
WORKER_UP = Metric(
    "worker_up",
    "gauge",
    "Daemon",
    "1 while a supervised process answers.",
    "Is there anything that serves?",
    ("worker",),
)
WORKER_RESTARTS = Metric(
    "worker_restarts",
    "counter",
    "Daemon",
    "Times that a process of the daemon ended unasked; of the executor, attempts that crashed or were killed.",
    "Does something crash again and again?",
    ("worker",),
)
DISK_USED = Metric(
    "disk_used_bytes",
    "gauge",
    "Daemon",
    "Bytes on disk by kind: events database, published adapters, job directories, logs.",
    "What grows?",
    ("kind",),
)
DISK_FREE = Metric(
    "disk_free_bytes",
    "gauge",
    "Daemon",
    "Bytes free where the events database and where the artifacts lie.",
    "A full disk stops intake.",
    ("kind",),
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
