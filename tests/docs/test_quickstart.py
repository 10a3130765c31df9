"""The quickstart, typed as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import registry
from storage.artifacts import Artifacts
from storage.records import Adapter
from storage.store import Store
from tests.daemon.daemons import Daemon, environment, write_yaml
from tests.docs.shell_blocks import Reader, blocks, only_pythons_own, page
from tests.services.kafka import KafkaBroker
from tests.services.waiting import wait_until

QUICKSTART = page("quickstart.md")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def leave_adapters(folder: Path) -> None:
    """What a demo leaves, as far as the page looks at it: a base and two adapters, the newer one in service."""
    write_yaml(folder, {})
    store, artifacts = Store.open(f"sqlite:///{folder / 'adaptd.db'}"), Artifacts(folder / "artifacts")
    weights = folder / "weights"
    weights.mkdir()
    try:
        base = store.write(lambda tx: registry.ensure_line(tx, "erd", "ab" * 32, NOW))
        champion = base.champion
        for version in (1, 2):
            (weights / "adapter_model.safetensors").write_bytes(bytes([version]))
            name = f"erd@v{version}"
            directory, files = artifacts.publish(name, weights, {})
            made = Adapter(name, "erd", version, "ab" * 32, champion, None, NOW, "candidate", directory, files)
            store.write(lambda tx, made=made: registry.add_candidate(tx, made))  # type: ignore[misc]
            against = champion
            assert store.write(lambda tx, n=name, a=against: registry.promote(tx, "erd", n, a, NOW))  # type: ignore[misc]
            champion = name
    finally:
        store.close()


@pytest.mark.slow
def test_every_command_does_what_the_page_says(tmp_path: Path) -> None:
    demo = tmp_path / "adaptd-demo"
    demo.mkdir()
    leave_adapters(demo)
    reader = Reader(tmp_path)
    try:
        printed = reader.reads(QUICKSTART)
    finally:
        reader.leaves()
    assert json.loads(printed[-1][printed[-1].index("{") :])["state"] == "champion"


def test_what_is_not_run_names_a_test_that_runs_it() -> None:
    skipped = [block.skipped for block in blocks(QUICKSTART) if block.skipped]
    assert len(skipped) == 2
    for why in skipped:
        path = why.split("tests/")[1].split()[0]
        assert (QUICKSTART.parents[1] / "tests" / path).is_file()


@pytest.mark.kafka
@pytest.mark.slow
def test_the_lines_for_kafka_send_an_event_that_a_daemon_stores(tmp_path: Path, kafka: KafkaBroker) -> None:
    (text,) = only_pythons_own(QUICKSTART)
    topic = kafka.create_topic()
    source = {"type": "kafka", "bootstrap_servers": kafka.bootstrap_servers, "topics": [topic], "group_id": topic}
    (server,) = kafka.bootstrap_servers
    script = text.replace("localhost:9092", server).replace('"feedback"', repr(topic))
    assert len([line for line in script.splitlines() if line]) == 5, "the page says five lines"
    with Daemon(write_yaml(tmp_path, {"sources": [source], "tasks": {"my-task": {}}})) as daemon:
        subprocess.run([sys.executable, "-c", script], check=True, env=environment(), timeout=180)
        wait_until(lambda: daemon.status()["events"]["stored"] == 1, 120, "the event to be stored", daemon.log)
        assert daemon.status()["events"]["dead_letters"] == 0
