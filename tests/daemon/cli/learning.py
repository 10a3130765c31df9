"""A real daemon that learns with a tiny random model, for tests of operating it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.daemon.daemons import Daemon, free_port
from tests.services.waiting import wait_until

PATIENCE_S = 400.0  # a busy machine loads torch slowly

CONFIG = """\
# How this daemon learns.
model: {{base: {base}, max_context: 256, lora: {{rank: 4, alpha: 8}}}}
engine: {{threads: 1}}
sources:
  - {{type: http}}   # the only door
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
rewards: {{settle: 0s}}
holdout: {{by: prompt, min: 2, share: 0.02, dev_share: 0.02}}
batching: {{min: 4, max: 40, max_wait: 1s, max_share_per_user: 1, min_users: 1}}

# Switched by hand, and by `adaptd learners`.
learners: {{curriculum: true}}

updates: {updates}
gate: {{enabled: false}}
release: {{targets: [directory]}}
stop_grace: {grace}
api: {{port: {port}}}
tasks:
  first:         # the one that changes
    gate: {{enabled: false}}
  second: {{gate: {{enabled: false}}}}
"""
SFT = "{threads: 1, sft: {learning_rate: 0.02, steps: 40, batch_size: 4}}"


def write_config(folder: Path, base: Path, *, updates: str = SFT, grace: str = "60s") -> Path:
    path = folder / "adaptd.yaml"
    path.write_text(CONFIG.format(base=base, updates=updates, port=free_port(), grace=grace))
    return path


class Learner(Daemon):
    """`adaptd run` with intake, learning and API; `give` feedback, wait for what becomes of it."""

    def __init__(self, config: Path, *, arguments: tuple[str, ...] = ("--log-format", "json")) -> None:
        super().__init__(config, "intake,learn,api", arguments)
        self._given = 0

    def give(self, task: str, count: int = 12) -> None:
        """Corrections of prompts that nobody asked before."""
        now = datetime.now(UTC).isoformat()
        first, self._given = self._given, self._given + count
        events = [
            _correction(f"{self.config.parent.name}-{task}-{n}", task, n, now) for n in range(first, first + count)
        ]
        assert self.client.post("/v1/events", json=events).json()["stored"] == count

    def task(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.status()["tasks"][name]
        return found

    def updates(self, task: str) -> list[dict[str, Any]]:
        """Oldest first, each with its report and jobs."""
        listed = self.client.get("/v1/updates", params={"task": task}).json()
        return [self.client.get(f"/v1/updates/{one['update_id']}").json() for one in reversed(listed)]

    def promoted(self, task: str) -> int:
        return int(self.task(task)["updates"]["totals"]["promoted"])

    def comes(self, what: Callable[[], Any], words: str) -> None:
        wait_until(lambda: bool(what()), PATIENCE_S, words, lambda: self.log()[-3000:])

    def training(self, task: str, sign: str = "progress.jsonl") -> bool:
        """Whether a worker trains for it, and has written that file."""
        running = self.task(task)["updates"]["running"]
        if not running or running["state"] != "running":
            return False
        directory = str(self.updates(task)[-1]["jobs"][-1]["directory"])
        return (self.config.parent / "artifacts" / "jobs" / directory / sign).exists()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Lines of its log with those words."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if event in line["event"]]


def _correction(event_id: str, task: str, number: int, at: str) -> dict[str, Any]:
    about = {"schema": 1, "event_id": event_id, "occurred_at": at, "kind": "correction", "task": task}
    texts = {"prompt": f"question {number} of {task}", "response": "no", "corrected": f"answer {'x' * (number % 9)}"}
    return {**about, "user_id": f"u{number % 5}", **texts}
