"""SIGTERM to a real daemon: what is under way is finished or given back, the group is left, and the grace is kept."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.daemon.cli.learning import PATIENCE_S, Learner, write_config
from tests.daemon.daemons import Daemon, write_yaml
from tests.daemon.desk import as_bytes, wire
from tests.services.kafka import KafkaBroker
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

LONG_SFT = "{threads: 1, sft: {learning_rate: 0.02, steps: 300, batch_size: 4}}"
ENDLESS = "{threads: 1, method: noop, heartbeat_limit: 1h, noop: {steps: 1, step_time: 1h}}"


def last(daemon: Learner) -> dict[str, Any]:
    return daemon.updates("first")[-1]


@pytest.mark.train
def test_training_goes_on_after_a_stop_from_where_it_was(tmp_path: Path, tiny_base: Path) -> None:
    config = write_config(tmp_path, tiny_base, updates=LONG_SFT, grace=f"{PATIENCE_S:.0f}s")
    with Learner(config) as daemon:
        daemon.give("first")
        daemon.comes(lambda: daemon.training("first"), "an update to train")
        assert daemon.end(signal.SIGTERM) == 0
    (given_back,) = daemon.logged("update given back")
    assert given_back["reason"].endswith("the next attempt goes on from its checkpoint")
    with Learner(config) as daemon:
        daemon.comes(lambda: daemon.promoted("first") == 1, "the update to go on and end")
        update = last(daemon)
    assert update["attempts"] == 0  # a stop is not held against the batch
    assert update["report"]["resumed"] == "from the checkpoint of u1-train-1"
    assert update["report"]["training"]["steps"] == 300
    assert [(job["kind"], job["state"]) for job in update["jobs"]] == [("train", "cancelled"), ("train", "done")]
    first, second = (tmp_path / "artifacts" / "jobs" / f"u1-train-{attempt}" / "progress.jsonl" for attempt in (1, 2))
    before = first.read_text()
    assert second.read_text().startswith(before), "what was told before the stop is not lost"
    again = second.read_text()[len(before) :].splitlines()
    assert 0 < len(again) < 300  # not from the first step
    assert update["report"]["curves"][0]["steps"][-1] == 300


@pytest.mark.train
def test_what_cannot_end_within_the_grace_is_ended_and_given_back(tmp_path: Path, tiny_base: Path) -> None:
    config = write_config(tmp_path, tiny_base, updates=ENDLESS, grace="1s")
    with Learner(config) as daemon:
        daemon.give("first")
        daemon.comes(lambda: daemon.training("first", "plan.jsonl"), "an update to train")
        children = psutil.Process(daemon.process.pid).children(recursive=True)
        assert daemon.end(signal.SIGTERM) == 0
    (given_back,) = daemon.logged("update given back")
    assert given_back["reason"].endswith("the next attempt starts anew")
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    assert not alive


@pytest.mark.train
def test_a_second_signal_ends_at_once_and_nothing_is_left_behind(tmp_path: Path, tiny_base: Path) -> None:
    config = write_config(tmp_path, tiny_base, updates=ENDLESS, grace="1h")
    with Learner(config) as daemon:
        daemon.give("first")
        daemon.comes(lambda: daemon.training("first", "plan.jsonl"), "an update to train")
        children = psutil.Process(daemon.process.pid).children(recursive=True)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.comes(lambda: daemon.logged("stopping"), "the stop to begin")
        assert "stopping" in daemon.status()["not_ready"]  # it still answers
        time.sleep(0.5)
        assert daemon.process.poll() is None
        assert daemon.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "adaptd: ended at once; what was not finished is taken over at the next start" in daemon.log()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    assert not alive
    with Learner(write_again(config)) as daemon:
        daemon.comes(lambda: daemon.promoted("first") == 1, "the next daemon to take it over")


def write_again(config: Path) -> Path:
    config.write_text(config.read_text().replace("step_time: 1h", "step_time: 0s").replace("grace: 1h", "grace: 5s"))
    return config


def events(name: str, count: int) -> list[bytes]:
    return [as_bytes(wire(f"{name}-{n}", interaction_id=f"{name}-{n}")) for n in range(count)]


@pytest.mark.kafka
def test_the_group_is_left_and_told_how_far_it_went(tmp_path: Path, kafka: KafkaBroker) -> None:
    topic, group = kafka.create_topic(partitions=2), f"group-{tmp_path.name}"
    source = {"type": "kafka", "bootstrap_servers": kafka.bootstrap_servers, "topics": [topic], "group_id": group}
    with Daemon(write_yaml(tmp_path, {"sources": [source]})) as daemon:
        kafka.produce(topic, events(f"{group}-0", 500), partition=0)
        kafka.produce(topic, events(f"{group}-1", 50), partition=1)
        wait_until(lambda: daemon.status()["events"]["received"] >= 100, PATIENCE_S, "some events", daemon.log)
        assert kafka.members(group) == 1
        assert daemon.end(signal.SIGTERM) == 0
    assert kafka.members(group) == 0
    told = kafka.committed(group, topic)
    other = tmp_path / "again"
    other.mkdir()
    with Daemon(
        write_yaml(other, {"sources": [source], "storage": {"url": f"sqlite:///{tmp_path}/adaptd.db"}})
    ) as again:
        wait_until(lambda: again.status()["events"]["stored"] == 550, PATIENCE_S, "the rest", again.log)
        assert again.status()["events"]["duplicates"] == 0
    assert sum(told.values()) >= 100
