"""A real Prometheus watches a real daemon through whole updates; then every panel of the dashboard shows something.

The base is tiny and random: nobody learns anything here, but everything on the way happens. Task `quick` has no gate,
so its update is promoted and served; task `judged` has one, so there are looks, verdicts and scores.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.daemon.daemons import Daemon, free_port, write_yaml
from tests.learners.engines.tiny import make_base
from tests.services.prometheus import PrometheusServer, Promtool
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "adaptd.json"
LEARN_S = 600.0  # generous: on a machine of its own all of this takes a minute
USERS = [f"user-{letter}" for letter in "abcdef"]
WINDOWS = {"$__rate_interval": "10m", "$instance": ".*", "$task": ".*"}

Start = Callable[[Mapping[str, str]], PrometheusServer]


@dataclass
class Watched:
    """A daemon with its gateway, and the Prometheus that has watched it from its first minute."""

    daemon: Daemon
    gateway: httpx.Client
    prometheus: PrometheusServer

    def task(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.daemon.status()["tasks"][name]
        return found

    def send(self, *events: Mapping[str, Any] | int) -> None:
        assert self.daemon.client.post("/v1/events", json=list(events)).is_success


def config(base: Path) -> dict[str, Any]:
    few = {"min": 4, "max": 8, "max_wait": "1s", "max_share_per_user": 1, "min_users": 1}
    judged = {"validator": {"name": "json_schema", "settings": {"schema": {"type": "object"}}}}
    return {
        "model": {"base": str(base), "max_context": 96, "lora": {"rank": 4, "alpha": 8, "dropout": 0}},
        "engine": {"threads": 1, "start_timeout": "10m"},
        "sources": [{"type": "http"}, {"type": "memory"}],  # the second is polled, and so has a lag
        "rewards": {"settle": "0s"},
        "holdout": {"min": 12, "dev_share": 0.2},
        "batching": few,
        "updates": {"threads": 1, "sft": {"steps": 8, "learning_rate": 1e-2}},
        "gateway": {"enabled": True, "port": free_port()},
        "learners": {"curriculum": True, "hard_negatives": True},
        "tasks": {
            "quick": {"gate": {"enabled": False}},
            "judged": {"gate": {"min_prompts": 10}, **judged},
        },
    }


def event(kind: str, task: str, number: int, **fields: Any) -> dict[str, Any]:
    common = {
        "schema": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": datetime.now(UTC).isoformat(),
        "kind": kind,
        "task": task,
        "user_id": USERS[number % len(USERS)],
    }
    return {**common, **fields}


def interaction(task: str, number: int) -> dict[str, Any]:
    asked = {"prompt": f"Say {number} in JSON.", "response": f"It is {number}."}
    return event("interaction", task, number, interaction_id=f"{task}-{number}", **asked)


def correction(task: str, number: int) -> dict[str, Any]:
    return event(
        "correction", task, number, interaction_id=f"{task}-{number}", corrected=json.dumps({"number": number})
    )


@pytest.fixture
def watched(tmp_path: Path, prometheus_server: Start) -> Iterator[Watched]:
    path = write_yaml(tmp_path, settings := config(make_base(tmp_path / "base")))
    address = f"127.0.0.1:{settings['gateway']['port']}"
    with (
        Daemon(path, roles="intake,learn,api,gateway", patience_s=LEARN_S) as daemon,
        httpx.Client(base_url=f"http://{address}", timeout=60, trust_env=False) as gateway,
    ):
        targets = {"adaptd": f"{daemon.client.base_url.host}:{daemon.client.base_url.port}", "adaptd-gateway": address}
        yield Watched(daemon, gateway, prometheus_server(targets))


def asked(watched: Watched) -> bool:
    """One question through the gateway; it has no route until the engine is up."""
    body = {"model": "quick", "messages": [{"role": "user", "content": "Say 1."}], "max_tokens": 4}
    try:
        return watched.gateway.post("/v1/chat/completions", json=body).is_success
    except httpx.HTTPError:
        return False


def learn(watched: Watched) -> None:
    """Whole updates of both tasks, with everything around them that a metric is about."""
    wait_until(lambda: len(watched.prometheus.values("up == 1")) == 2, 60, "both pages to be scraped")
    wait_until(lambda: asked(watched), LEARN_S, "the gateway to answer", watched.daemon.log)
    for task in ("quick", "judged"):
        watched.send(*(correction(task, number) for number in range(3)))  # before their interactions
        watched.send(*(interaction(task, number) for number in range(40)))
        watched.send(*(correction(task, number) for number in range(3, 40)))
    twice = event("rating", "quick", 1, interaction_id="quick-1", rating=4, scale={"min": 1, "max": 5}, mood="fine")
    watched.send(twice, twice, 7)
    wait_until(lambda: asked(watched) and learned(watched), LEARN_S, "promotion and verdict", watched.daemon.log)


def goes_on(watched: Watched) -> None:
    """Feedback as it comes day by day, and some that was asked for: a rate wants counters that move."""
    number = int(time.monotonic() * 1000)
    scale = {"min": 1, "max": 5}
    watched.send(event("rating", "quick", number, prompt=f"Say {number}.", response="No.", rating=2, scale=scale))
    watched.send(interaction("quick", number))  # nobody has judged it, and its prompt is new
    questions = watched.daemon.client.get("/v1/ask", params={"task": "quick", "count": 1}).json()["questions"]
    for one in questions:
        watched.send(event("thumb", "quick", number, interaction_id=one["interaction_id"], thumb="up"))


def learned(watched: Watched) -> bool:
    """Whether Prometheus has seen an adapter promoted and served, and another judged."""
    for task in ("quick", "judged"):
        assert not watched.task(task)["updates"]["last_failure"], watched.task(task)
    happened = ("adaptd_feedback_to_service_seconds_count > 0", "adaptd_verdicts_total > 0", "adaptd_adapter_score")
    time.sleep(1)  # between questions: they are what loads the daemon most
    return all(watched.prometheus.values(expression) for expression in happened)


def panels() -> list[tuple[str, str]]:
    """(title, expression) of every query of the dashboard, with its variables filled in."""
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in WINDOWS.items():
                expression = expression.replace(name, value)
            found.append((panel["title"], expression))
    return found


def silent(watched: Watched) -> list[str]:
    """The queries that have no number to show, but for the one that wants more champions than one update makes."""
    goes_on(watched)
    time.sleep(1)
    return [
        f"{title}: {expression}"
        for title, expression in panels()
        if "score_trend" not in expression
        and not any(math.isfinite(value) for value in watched.prometheus.values(expression))
    ]


def test_prometheus_sees_a_whole_update_and_every_panel_answers_with_data(watched: Watched, promtool: Promtool) -> None:
    learn(watched)
    wait_until(  # a rate wants two scrapes that saw its counter
        lambda: asked(watched) and not silent(watched),
        150,
        "every panel to answer",
        lambda: "\n".join(silent(watched)),
    )
    for client in (watched.daemon.client, watched.gateway):
        page = client.get("/metrics").text
        checked = promtool("check", "metrics", text=page)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert not [user for user in USERS if user in page]
