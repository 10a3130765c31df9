"""The panels of the dashboard, row by row: what an operator looks at, from a glance to the last detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.dashboard_panels import CHAMPIONS, EVENTS, HERE, OF_GATEWAY, POINTS, PRIMARY, TASK, Panel, mean, quantile

ROWS: Mapping[str, Sequence[Panel]] = {
    "At a glance": (
        Panel(
            "Ready",
            "1 while every role of the daemon can do its work; the same as /readyz.",
            "bool_yes_no",
            [(f"min by (instance) (adaptd_ready{{{HERE}}})", "{{instance}}")],
            "stat",
            4,
        ),
        Panel(
            "In service",
            "The champion of each task.",
            "none",
            [(CHAMPIONS, "{{adapter}}")],
            "stat",
            4,
            names=True,
        ),
        Panel(
            "Champion's score",
            "Points of 100 at its last judging, by the validator or the likelihood of human texts; none where a judge "
            "or the win-rate head decides.",
            POINTS,
            [(f"100 * {PRIMARY} and on (instance, task, adapter) {CHAMPIONS}", "{{adapter}} {{metric}}")],
            "stat",
            4,
        ),
        Panel(
            "Feedback to service",
            "Median over a day, from the last feedback of a batch to its adapter answering.",
            "s",
            [
                (
                    quantile(0.5, "adaptd_feedback_to_service_seconds", "task", "1d", f'{TASK}, since="last"'),
                    "{{task}}",
                )
            ],
            "stat",
            4,
        ),
        Panel(
            "Next update",
            "Examples that count, and how many are needed now; `adaptd status` has the reason in words.",
            "short",
            [(f"adaptd_batch_have{{{TASK}}}", "{{task}} have"), (f"adaptd_batch_need{{{TASK}}}", "{{task}} need")],
            width=8,
        ),
    ),
    "Intake": (
        Panel(
            "Events by outcome",
            "What becomes of what arrives: stored, duplicate, dead letter, or refused whole.",
            "eps",
            [(f"sum by (outcome) (rate({EVENTS}[$__rate_interval]))", "{{outcome}}")],
        ),
        Panel(
            "Events by kind",
            "Stored events by task and kind.",
            "eps",
            [
                (
                    f"sum by (task, kind) (rate(adaptd_events_stored_total{{{TASK}}}[$__rate_interval]))",
                    "{{task}} {{kind}}",
                )
            ],
        ),
        Panel(
            "Share of dead letters",
            "Of all events of a source. Rises when a sender writes what cannot be read.",
            "percentunit",
            [
                (
                    f'sum by (source) (rate(adaptd_events_total{{{HERE}, outcome="dead_letter"}}[$__rate_interval]))'
                    f" / sum by (source) (rate({EVENTS}[$__rate_interval]))",
                    "{{source}}",
                )
            ],
        ),
        Panel(
            "Lag",
            "Records that wait in each source.",
            "short",
            [(f"adaptd_source_lag{{{HERE}}}", "{{source}}")],
        ),
        Panel(
            "Sources",
            "1 while a source can be polled; beside it, records that were gone before they were read.",
            "short",
            [
                (f"adaptd_source_up{{{HERE}}}", "{{source}} up"),
                (f"adaptd_source_lost_records_total{{{HERE}}}", "{{source}} lost"),
            ],
        ),
        Panel(
            "Join delay",
            "Median time between an interaction and feedback on it, by which of the two came first.",
            "s",
            [(quantile(0.5, "adaptd_join_delay_seconds", "task, first"), "{{task}} {{first}} first")],
        ),
        Panel(
            "Unknown fields",
            "Fields of events that adaptd does not know: misspelt, or of a newer schema.",
            "eps",
            [(f"sum by (source) (rate(adaptd_unknown_fields_total{{{HERE}}}[$__rate_interval]))", "{{source}}")],
        ),
        Panel(
            "Waiting for the disk",
            "Bytes that the store has not written yet.",
            "bytes",
            [(f"adaptd_store_queued_bytes{{{HERE}}}", "{{instance}}")],
        ),
    ),
    "Feedback": (
        Panel(
            "Signals",
            "Mean signal by kind of feedback, in points of 100: how good people find the answers.",
            POINTS,
            [(f"100 * {mean('adaptd_signal', 'task, kind')}", "{{task}} {{kind}}")],
        ),
        Panel(
            "Spread of signals",
            "How many signals fell where, between 0 and 1.",
            "short",
            [(f"sum by (le) (increase(adaptd_signal_bucket{{{TASK}}}[$__rate_interval]))", "{{le}}")],
            "heatmap",
        ),
        Panel(
            "Spread of rewards",
            "How many rewards fell where, between -1 and 1; all on one side: look at rewards.midpoint.",
            "short",
            [(f"sum by (le) (increase(adaptd_reward_bucket{{{TASK}}}[$__rate_interval]))", "{{le}}")],
            "heatmap",
        ),
        Panel(
            "Trends",
            "How rewards (of the last 200 signals, -1 to 1) and scores (of the champions on this base, 0 to 1) moved "
            "from first to last; 0 where no trend can be told from chance.",
            "short",
            [
                (f"adaptd_reward_trend{{{TASK}}}", "{{task}} rewards"),
                (f"adaptd_score_trend{{{TASK}}}", "{{task}} scores"),
            ],
        ),
        Panel(
            "Answers to ask",
            "Median reward of feedback that was asked for, beside that of all other feedback: chosen to be harder.",
            "short",
            [
                (quantile(0.5, "adaptd_asked_reward", "task"), "{{task}} asked"),
                (quantile(0.5, "adaptd_reward", "task"), "{{task}} other"),
            ],
        ),
        Panel(
            "Similarity",
            "Mean similarity of answer and correction, in points of 100: how much people change.",
            POINTS,
            [(f"100 * {mean('adaptd_similarity', 'task, part')}", "{{task}} {{part}}")],
        ),
        Panel(
            "Kinds of failure",
            "How many kinds of failure are open, get less, are fixed or came back, where hard_negatives is on.",
            "short",
            [(f"sum by (task, state) (adaptd_failure_kinds{{{TASK}}})", "{{task}} {{state}}")],
        ),
        Panel(
            "Examples",
            "Where examples stand: open, learned, alone without their interaction, set aside.",
            "short",
            [
                (
                    f'sum by (state) (adaptd_examples{{{TASK}, state!~"reserved|gate|gate_labelled|dev_labelled"}})',
                    "{{state}}",
                )
            ],
        ),
    ),
    "Learning": (
        Panel(
            "Updates under way",
            "By state; held candidates wait for more evidence.",
            "short",
            [(f"sum by (task, state) (adaptd_updates_open{{{TASK}}})", "{{task}} {{state}}")],
        ),
        Panel(
            "Updates that ended",
            "Over the life of the store, by how they ended.",
            "short",
            [(f"sum by (outcome) (adaptd_updates_ended_total{{{TASK}}})", "{{outcome}}")],
        ),
        Panel(
            "Verdicts",
            "Looks of the gate over the life of the store.",
            "short",
            [(f"sum by (task, verdict) (adaptd_verdicts_total{{{TASK}}})", "{{task}} {{verdict}}")],
        ),
        Panel(
            "Batch size",
            "Median over a day of the examples that an update used.",
            "short",
            [(quantile(0.5, "adaptd_batch_size", "task", "1d"), "{{task}}")],
        ),
        Panel(
            "Loss",
            "Of the last trained update, first and last step and dev rows, in nats a token.",
            "none",
            [(f"adaptd_update_loss{{{TASK}}}", "{{task}} {{method}} {{point}}")],
        ),
        Panel(
            "Rows by stage",
            "Rows that each stage of the curriculum drew on in the last trained update; what is missing was left out.",
            "short",
            [(f"adaptd_update_stage_rows{{{TASK}}}", "{{task}} {{method}} {{stage}}")],
        ),
        Panel(
            "What learners did",
            "What each learner that is on counted in the last trained update; docs/learners.md says what.",
            "short",
            [(f"adaptd_learner_figure{{{TASK}}}", "{{task}} {{learner}} {{figure}}")],
        ),
        Panel(
            "Search for settings",
            "Trials of the newest search, wanted and done, and how often settings were put in force.",
            "short",
            [
                (f"adaptd_study_trials{{{TASK}}}", "{{task}} {{state}}"),
                (f"adaptd_tunings_total{{{TASK}}}", "{{task}} in force"),
            ],
        ),
        Panel(
            "Attempts",
            "How long an attempt took, 95th percentile over a day, by kind and how it ended.",
            "s",
            [(quantile(0.95, "adaptd_job_seconds", "kind, outcome", "1d", HERE), "{{kind}} {{outcome}}")],
        ),
        Panel(
            "Phases of an attempt",
            "Mean over a day of each phase: where the time goes.",
            "s",
            [(mean("adaptd_job_phase_seconds", "kind, phase", "1d", HERE), "{{kind}} {{phase}}")],
        ),
    ),
    "Adapters": (
        Panel(
            "Score by version",
            "Points of 100 at the last judging, of the champion and the newest ten versions.",
            POINTS,
            [(f"100 * adaptd_adapter_score{{{TASK}}}", "{{adapter}} {{metric}}")],
            width=12,
        ),
        Panel(
            "Serving",
            "1 while the engine answers with the champion.",
            "bool_yes_no",
            [(f"adaptd_champion_serving{{{TASK}}}", "{{task}}")],
            width=6,
        ),
        Panel(
            "Age of the champion",
            "Since it was promoted, or put into service by hand.",
            "s",
            [(f"time() - adaptd_champion_since_timestamp_seconds{{{TASK}}}", "{{task}}")],
            width=6,
        ),
    ),
    "Gateway": (
        Panel(
            "Requests",
            "By HTTP status.",
            "reqps",
            [(f"sum by (code) (rate(adaptd_gateway_requests_total{{{OF_GATEWAY}}}[$__rate_interval]))", "{{code}}")],
        ),
        Panel(
            "Time to answer",
            "Median and 95th percentile, the engine's time included.",
            "s",
            [
                (quantile(0.5, "adaptd_gateway_request_seconds", "task", labels=OF_GATEWAY), "{{task}} median"),
                (quantile(0.95, "adaptd_gateway_request_seconds", "task", labels=OF_GATEWAY), "{{task}} 95 %"),
            ],
        ),
        Panel(
            "Interactions",
            "In flight, waiting to be recorded, and given up unrecorded since the gateway started.",
            "short",
            [
                ("sum(adaptd_gateway_in_flight)", "in flight"),
                ("sum(adaptd_gateway_record_waiting)", "waiting"),
                ("sum(adaptd_gateway_record_dropped_total) or vector(0)", "given up"),
            ],
        ),
    ),
    "Daemon": (
        Panel(
            "Workers",
            "1 while a supervised process answers.",
            "bool_yes_no",
            [(f"adaptd_worker_up{{{HERE}}}", "{{instance}} {{worker}}")],
        ),
        Panel(
            "Restarts",
            "Of engine and gateway, and attempts of the executor that crashed, within an hour.",
            "short",
            [(f"increase(adaptd_worker_restarts_total{{{HERE}}}[1h])", "{{instance}} {{worker}}")],
        ),
        Panel(
            "Config",
            "1 while the last change of adaptd.yaml is in force; beside it, settings that wait for a restart.",
            "short",
            [
                (f"adaptd_config_last_reload_success{{{HERE}}}", "{{instance}} in force"),
                (f"adaptd_config_needs_restart{{{HERE}}}", "{{instance}} needs a restart"),
            ],
        ),
        Panel(
            "Age of the config",
            "Since the config in force was loaded, and since the daemon started.",
            "s",
            [
                (f"time() - adaptd_config_loaded_timestamp_seconds{{{HERE}}}", "{{instance}} config"),
                (f"time() - adaptd_started_timestamp_seconds{{{HERE}}}", "{{instance}} daemon"),
            ],
        ),
        Panel(
            "Disk used",
            "Events database, published adapters, job folders, logs.",
            "bytes",
            [(f"adaptd_disk_used_bytes{{{HERE}}}", "{{instance}} {{kind}}")],
        ),
        Panel(
            "Disk free",
            "Where the events database and the artifacts lie. A full disk stops intake.",
            "bytes",
            [(f"adaptd_disk_free_bytes{{{HERE}}}", "{{instance}} {{kind}}")],
        ),
    ),
}
