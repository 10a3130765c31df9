"""The whole loop against a real daemon, engine, worker and gateway: feedback in, better adapter out, and back again.

One daemon, one story: each chapter is a function that reads as a sentence, and asks something else of it.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from examples.erd.demo.config import DemoSettings, text_of
from examples.erd.demo.daemon_process import DaemonProcess, free_ports
from examples.erd.world import Pool, entity_lists, good_answer, prompt_of, sloppy_answer

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(600)]

LEARN_S = 300.0
SOON_S = 60.0
USERS = [f"person-{letter}" for letter in "abcdefghij"]


@dataclass
class Loop:
    """A daemon that has learned from 160 corrections."""

    daemon: DaemonProcess
    config: Path
    sent: list[dict[str, Any]]

    def ask(self, model: str, prompt: str) -> dict[str, Any]:
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 200}
        answer = httpx.post(f"{self.daemon.gateway_url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def task(self) -> dict[str, Any]:
        found: dict[str, Any] = self.daemon.status()["tasks"]["erd"]
        return found

    def served(self) -> str:
        """Which adapter answers for the task now."""
        return str(self.ask("erd", "hello")["adaptd"]["adapter"])

    def cli(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "daemon.cli.main", *arguments, "-c", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def until(true: Callable[[], bool], within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.3)


def corrections(count: int) -> list[dict[str, Any]]:
    rng, lists = random.Random(5), entity_lists(Pool.EVENTS, 5)
    found = []
    for number in range(count):
        entities = next(lists)
        found.append(
            {
                "schema": 1,
                "event_id": str(uuid.uuid4()),
                "occurred_at": datetime.now(UTC).isoformat(),
                "kind": "correction",
                "task": "erd",
                "user_id": USERS[number % len(USERS)],
                "prompt": prompt_of(entities),
                "response": sloppy_answer(entities, rng),
                "corrected": good_answer(entities),
            }
        )
    return found


@pytest.fixture(scope="module")
def loop(erd_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("loop")
    api_port, gateway_port = free_ports(2)
    settings = DemoSettings(erd_base_dir, api_port, gateway_port)
    config = folder / "adaptd.yaml"
    config.write_text(text_of(settings))
    urls = [f"http://127.0.0.1:{port}" for port in (settings.api_port, settings.gateway_port)]
    daemon = DaemonProcess(folder, *urls)
    daemon.start()
    try:
        sent = corrections(160)
        assert httpx.post(f"{urls[0]}/v1/events", json=sent, timeout=60, trust_env=False).json()["stored"] == len(sent)
        loop = Loop(daemon, config, sent)
        until(lambda: loop.task()["updates"]["totals"]["promoted"] >= 1, LEARN_S, "a first promotion")
        until(lambda: loop.served() == loop.task()["champion"]["adapter"], SOON_S, "the champion in service")
        yield loop
    finally:
        daemon.stop()


def the_new_champion_answers_better_than_the_base_through_the_gateway(loop: Loop) -> None:
    champion = loop.task()["champion"]["adapter"]
    assert champion != "erd@v0"
    entities = next(entity_lists(Pool.SCORE, 1))
    now, then = loop.ask("erd", prompt_of(entities)), loop.ask("erd@v0", prompt_of(entities))
    assert now["adaptd"]["adapter"] == champion
    assert then["adaptd"]["adapter"] == "erd@v0"
    assert now["choices"][0]["message"]["content"] != then["choices"][0]["message"]["content"]
    scores = {score["adapter"]: score["value"] for score in loop.task()["scores"]}
    assert scores[champion] > scores["erd@v0"] + 0.2


def what_was_asked_is_recorded_and_waits_for_feedback(loop: Loop) -> None:
    before = loop.daemon.status()["events"]["stored"]
    answered = loop.ask("erd", prompt_of(next(entity_lists(Pool.SCORE, 2))))
    assert answered["adaptd"]["interaction_id"]
    until(lambda: loop.daemon.status()["events"]["stored"] > before, SOON_S, "the interaction in the store")


def an_update_tells_its_batch_its_looks_and_its_verdict(loop: Loop) -> None:
    listed = json.loads(loop.cli("updates", "list", "--json"))
    promoted = next(one for one in listed if one["state"] == "promoted")
    shown = json.loads(loop.cli("updates", "show", str(promoted["update_id"]), "--json"))
    assert 20 <= promoted["batch_size"] <= 30
    assert [look["verdict"] for look in shown["looks"]][-1] == "promote"
    assert shown["report"]["verdict"]["primary"] == "nll"
    assert {job["kind"] for job in shown["jobs"]} == {"train", "evaluate"}


def the_released_folder_holds_the_champion(loop: Loop) -> None:
    current = loop.config.parent / "released" / "erd" / "current"
    until(lambda: (current / "adapter_model.safetensors").is_file(), SOON_S, "the champion's files")


def a_killed_engine_comes_back_with_the_champion(loop: Loop) -> None:
    (killed,) = _engines(loop.daemon)
    killed.kill()
    killed.wait(10)
    until(lambda: any(engine.pid != killed.pid for engine in _engines(loop.daemon)), SOON_S, "another engine")
    until(lambda: _answers(loop), 180, "the engine back with the champion")


def a_roll_back_by_hand_puts_the_former_champion_into_service(loop: Loop) -> None:
    said = loop.cli("adapters", "rollback", "erd")
    assert "is the champion of erd again" in said
    until(lambda: loop.served() == loop.task()["champion"]["adapter"], SOON_S, "the former champion in service")


def neither_log_nor_metrics_hold_a_users_text_or_id(loop: Loop) -> None:
    metrics = httpx.get(f"{loop.daemon.api_url}/metrics", timeout=10, trust_env=False).text
    artifacts = loop.config.parent / "artifacts"
    logs = "".join(
        path.read_text(errors="replace") for path in [loop.config.parent / "daemon.log", *artifacts.rglob("*log")]
    )
    assert "adaptd is running" in logs
    for event in loop.sent:
        for secret in (event["user_id"], event["event_id"], event["prompt"], event["corrected"]):
            assert secret not in metrics
            assert secret not in logs


def a_stopped_daemon_leaves_no_process_behind(loop: Loop) -> None:
    left = _children(loop.daemon)
    assert left
    loop.daemon.stop()
    _, alive = psutil.wait_procs(left, timeout=20)
    assert not alive, [" ".join(process.cmdline()) for process in alive]


CHAPTERS = (
    the_new_champion_answers_better_than_the_base_through_the_gateway,
    what_was_asked_is_recorded_and_waits_for_feedback,
    an_update_tells_its_batch_its_looks_and_its_verdict,
    the_released_folder_holds_the_champion,
    a_killed_engine_comes_back_with_the_champion,
    a_roll_back_by_hand_puts_the_former_champion_into_service,
    neither_log_nor_metrics_hold_a_users_text_or_id,
    a_stopped_daemon_leaves_no_process_behind,
)


def test_feedback_becomes_a_better_adapter_that_survives_a_kill_and_can_be_rolled_back(loop: Loop) -> None:
    for chapter in CHAPTERS:
        print(chapter.__name__.replace("_", " "))
        chapter(loop)


def _children(daemon: DaemonProcess) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(daemon.pid).children(recursive=True)
    return found


def _engines(daemon: DaemonProcess) -> list[psutil.Process]:
    """Those that run; a process may end while it is looked at."""
    found = []
    for process in _children(daemon):
        with suppress(psutil.Error):
            if "learners.engines.local" in process.cmdline():
                found.append(process)
    return found


def _answers(loop: Loop) -> bool:
    try:
        return bool(loop.served() == loop.task()["champion"]["adapter"])
    except (httpx.HTTPError, AssertionError):
        return False
