"""Pairs through a real daemon, engine and worker: what people prefer becomes an adapter, and the gate says why."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.erd.demo.daemon_process import DaemonProcess, free_ports
from examples.erd.world import Pool, entity_lists, good_answer, prompt_of, sloppy_answer
from learners.off_policy import SOLVED
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(600)]

LEARN_S = 400.0
PAIRS, TIES = 130, 10
CONFIG = """\
model: {{base: {base}, max_context: 512, lora: {{dropout: 0.0}}}}
engine: {{threads: 1}}
sources: [{{type: http}}]
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
rewards: {{settle: 0s}}
holdout: {{by: prompt, min: 60}}
batching: {{min: 30, max: 40, max_wait: 1s}}
updates: {{threads: 1, dpo: {{learning_rate: 2.5e-3, steps: 30}}}}
gateway: {{enabled: true, port: {gateway_port}}}
api: {{port: {api_port}}}
tasks: {{erd: null}}
"""


def preferences() -> list[dict[str, Any]]:
    rng, lists, found = random.Random(7), entity_lists(Pool.EVENTS, 7), list[dict[str, Any]]()
    while (number := len(found)) < PAIRS + TIES:
        entities = next(lists)
        good, sloppy = good_answer(entities), sloppy_answer(entities, rng)
        if good == sloppy:
            continue
        found.append(
            {
                "schema": 1,
                "event_id": str(uuid.UUID(int=number)),
                "occurred_at": datetime.now(UTC).isoformat(),
                "kind": "preference",
                "task": "erd",
                "user_id": f"person-{number % 10}",
                "prompt": prompt_of(entities),
                "chosen": good,
                "rejected": sloppy,
                "tie": number >= PAIRS,
            }
        )
    return found


@pytest.fixture
def daemon(erd_base_dir: Path, tmp_path: Path) -> Iterator[DaemonProcess]:
    ports = dict(zip(("api_port", "gateway_port"), free_ports(2), strict=True))
    (tmp_path / "adaptd.yaml").write_text(CONFIG.format(base=erd_base_dir, **ports))
    process = DaemonProcess(tmp_path, *(f"http://127.0.0.1:{port}" for port in ports.values()))
    process.start()
    try:
        yield process
    finally:
        process.stop()


def shown(daemon: DaemonProcess, *more: str) -> str:
    command = [
        sys.executable,
        "-m",
        "daemon.cli.main",
        "updates",
        "show",
        "1",
        "-c",
        str(daemon.folder / "adaptd.yaml"),
    ]
    return subprocess.run([*command, *more], capture_output=True, text=True, check=True, timeout=120).stdout


def test_pairs_become_a_better_adapter_and_the_report_says_how(daemon: DaemonProcess) -> None:
    answer = httpx.post(f"{daemon.api_url}/v1/events", json=preferences(), timeout=60, trust_env=False)
    assert answer.json()["stored"] == PAIRS + TIES
    wait_until(
        lambda: daemon.status()["tasks"]["erd"]["updates"]["totals"]["promoted"] >= 1,
        LEARN_S,
        "a promotion",
        daemon.last_words,
    )
    update = json.loads(shown(daemon, "--json"))
    report = update["report"]
    assert list(report["rows"]) == ["dpo"]
    assert report["rows"]["dpo"]["new"] == update["batch_size"] >= 30
    assert report["preference"].startswith(f"dpo on {update['batch_size']} pairs")
    (phase,) = report["training"]["phases"]
    assert phase["method"] == "dpo"
    assert phase["dropped"].keys() <= {SOLVED}  # of some pairs the base knows already which is better
    assert update["batch_size"] == phase["rows"] + sum(phase["dropped"].values()) < 1.2 * phase["rows"]
    assert phase["last_loss"] < phase["first_loss"]
    verdict = report["verdict"]
    assert (verdict["verdict"], verdict["primary"]) == ("promote", "nll_chosen")
    assert verdict["nll_per_token"]["candidate"] < verdict["nll_per_token"]["champion"]
    accuracy = verdict["pair_accuracy"]
    assert accuracy["pairs"] >= 20
    assert {"candidate", "champion", "moved", "length"} <= accuracy.keys()
    text = shown(daemon)
    for words in ("rows for dpo", "dpo: 30 of 30 steps", "verdict: promote by nll_chosen", "decides nothing", "length"):
        assert words in text
    assert "erd@v1" in text
