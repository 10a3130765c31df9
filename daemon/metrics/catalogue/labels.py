"""What each label may hold, for the docs: closed lists, and never a user, an id or a text (I8)."""

from __future__ import annotations

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
