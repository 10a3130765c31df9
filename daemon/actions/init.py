"""`adaptd init`: a commented adaptd.yaml that starts as it is and says what to change first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from daemon.errors import Denied

Users = Literal["one", "many"]

HEADER = """\
# adaptd.yaml: the only truth. Flags (--set key.path=value) and variables (ADAPTD_BATCHING__MIN=30) lie over it.
# Start it with:  adaptd run
# Relative paths start at this file's folder. Durations: 10s 10m 24h 30d. Every score is in [0, 1].
"""

COMMON = """
# The language model that adapters are made for: a folder, or the hub name of one that was downloaded before
# (hf download NAME). A daemon started with `--role intake,api` collects feedback and needs no model at all.
model:
  base: ./base-model
  max_context: 2048
  lora: {rank: 16, alpha: 32, dropout: 0.05, target_modules: all-linear}

# What answers prompts. `local` is a worker that adaptd starts by itself.
engine: {type: local}

# Where feedback comes from; any number of sources together.
sources:
  - {type: http}                              # POST /v1/events on the API's port
  # - {type: kafka, bootstrap_servers: [localhost:9092], topics: [feedback], group_id: adaptd, start: earliest}
  # - {type: jsonl, path: feedback.jsonl, follow: true, default_task: TASK}

storage: {url: "sqlite:///adaptd.db", artifacts: ./artifacts}

# From feedback to numbers: a signal of `midpoint` is reward 0; a reward counts half after `half_life`.
# `settle` waits for second thoughts after the last feedback on an answer.
rewards: {midpoint: 0.7, steepness: 8, half_life: 30d, max_age: 365d, aggregate: last, settle: 10m, join_wait: 24h}
"""

FOR_MANY = """
# When a batch is ripe. No user may fill more than `max_share_per_user` of it, and `min_users` must have a say.
batching: {min: 20, max: 100, max_wait: 24h, max_share_per_user: 0.2, min_users: 5}

# What is held back for judging. By user: whoever judges an adapter never taught it.
holdout: {by: user, share: 0.15, dev_share: 0.1, min: 60}
"""

FOR_ONE = """
# When a batch is ripe. One user teaches this model, so caps per user are off.
batching: {min: 20, max: 100, max_wait: 24h, max_share_per_user: 1.0, min_users: 1}

# What is held back for judging. By prompt: no prompt that judges an adapter ever taught it.
holdout: {by: prompt, share: 0.15, dev_share: 0.1, min: 60}
"""

REST = """
# Switchable parts of an update; docs/learners.md says what each does, docs/results.md what it has been shown to gain.
learners:
  preference: auto
  curriculum: false
  active: false
  hard_negatives: false
  augmentation: false
  hyperparameters: false

# How training runs. An answer of the model itself is learned only where its signal is at least sft.min_signal.
updates: {max_running: 1, time_limit: 2h, start: auto, sft: {min_signal: 0.75}}

# A new adapter goes into service only on evidence; alpha is the most that chance may do, over all looks.
gate: {primary: auto, alpha: 0.05}

# Where champions go: into the engine, and as files into ./released/<task>/current.
release: {targets: [engine, directory]}

# The OpenAI-compatible door for apps: the champion answers, interactions are recorded.
gateway: {enabled: false, port: 8713}

# Health, metrics, events and status.
api: {host: 127.0.0.1, port: 8712}

# What is learned: events name one of these in `task`. A validator judges answers without a human; sections given
# here differ for this task alone. Every key is explained in docs/reference/settings.md.
tasks:
  my-task: {}
  # erd: {validator: mermaid_erd, learners: {curriculum: true}}
"""


def template(users: Users) -> str:
    """The file's text."""
    return HEADER + COMMON + (FOR_ONE if users == "one" else FOR_MANY) + REST


def write_config(path: Path, users: Users, *, force: bool = False) -> Path:
    """Raises Denied where there is a file already, or the folder cannot be written."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        handle = os.open(path, flags, 0o644)
    except FileExistsError:
        raise Denied(f"{path} exists already; --force writes over it, -c names another file") from None
    except OSError as error:
        raise Denied(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(template(users))
    return path
