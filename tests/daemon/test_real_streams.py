"""Real human feedback through every door: the same counts, and the same examples.

`smoke` alone stores 500; `ukp_preference` after it stores 12,601 and finds the 92 that are in both; the same again
stores nothing.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from daemon.actions.replay import ReplayReport, replay, to_http
from daemon.config import load
from storage.records import Example, codec
from storage.store import Store
from storage.tables import example
from tests.daemon.daemons import Daemon, app_in_thread, url_of, write_yaml
from tests.services.kafka import KafkaBroker
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STREAMS = Path(__file__).parents[1] / "data" / "streams"
SMOKE, UKP = STREAMS / "smoke.jsonl.gz", STREAMS / "ukp_preference.jsonl.gz"
TASK = "arguments"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
READING_S = 240.0

Examples = Mapping[str, Example]


def examples_of(config: Path) -> Examples:
    """What the events became, without when they came in."""
    query = select(example.c.record).where(example.c.record.is_not(None))
    store = Store.open_readonly(load(config, environ={}).storage.url)
    try:
        rows = store.read(lambda tx: tx.execute(query).all())
    finally:
        store.close()
    found = (codec.from_json(Example, row.record) for row in rows)
    return {each.interaction_id: replace(each, first_seen_at=NOW, last_signal_at=NOW) for each in found}


def config_in(folder: Path, *sources: Mapping[str, Any]) -> Path:
    return write_yaml(folder, {"sources": list(sources), "tasks": {TASK: None}})


def stored(client: httpx.Client) -> tuple[int, int, int]:
    """Stored, duplicates, dead letters, since the store began."""
    found = client.get("/v1/status").json()["events"]
    return found["stored"], found["duplicates"], found["dead_letters"]


def read_up_to(client: httpx.Client, received: int) -> tuple[int, int, int]:
    def done() -> bool:
        return bool(client.get("/v1/status").json()["events"]["received"] >= received)

    wait_until(done, READING_S, f"{received} events to be read")
    return stored(client)


def sent(url: str, file: Path) -> ReplayReport:
    with to_http(url) as receiver:
        return replay([file], receiver, task=TASK, times="original", speed=None, now=NOW)


@pytest.fixture(scope="module")
def by_http(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    config = config_in(tmp_path_factory.mktemp("http"), {"type": "http"})
    url = url_of(config)
    with app_in_thread(config) as (_, client):
        assert sent(url, SMOKE) == ReplayReport(sent=500, stored=500)
        assert sent(url, UKP) == ReplayReport(sent=12_693, stored=12_601, duplicates=92)
        assert sent(url, UKP) == ReplayReport(sent=12_693, duplicates=12_693)
        assert sent(url, SMOKE) == ReplayReport(sent=500, duplicates=500)
        assert stored(client) == (13_101, 13_285, 0)
    return examples_of(config)


def test_over_http(by_http: Examples) -> None:
    assert len(by_http) > 10_000
    assert all(each.labelled and each.joined for each in by_http.values())


def test_from_files(tmp_path: Path, by_http: Examples) -> None:
    sources = [
        {"type": "jsonl", "name": file.name.partition(".")[0], "path": str(file), "default_task": TASK}
        for file in (SMOKE, UKP)
    ]
    with app_in_thread(config_in(tmp_path, sources[0])) as (_, client):
        assert read_up_to(client, 500) == (500, 0, 0)
    config = config_in(tmp_path, *sources)
    with app_in_thread(config) as (_, client):
        assert read_up_to(client, 13_193) == (13_101, 92, 0)
    with app_in_thread(config) as (app, client):  # read to the end already: nothing comes twice
        wait_until(lambda: {loop.health().state for loop in app._polls} == {"finished"}, READING_S, "both to finish")
        assert stored(client) == (13_101, 92, 0)
    assert examples_of(config) == by_http


@pytest.mark.kafka
def test_from_a_real_kafka(tmp_path: Path, kafka: KafkaBroker, by_http: Examples) -> None:
    topic = kafka.create_topic(partitions=3)
    source = {"type": "kafka", "bootstrap_servers": kafka.bootstrap_servers, "topics": [topic], "default_task": TASK}
    config = config_in(tmp_path, source)
    smoke, ukp = (gzip.decompress(file.read_bytes()).splitlines() for file in (SMOKE, UKP))
    kafka.produce(topic, smoke)
    with Daemon(config) as daemon:
        assert read_up_to(daemon.client, 500) == (500, 0, 0)
        kafka.produce(topic, ukp)
        assert read_up_to(daemon.client, 13_193) == (13_101, 92, 0)
        kafka.produce(topic, ukp)
        assert read_up_to(daemon.client, 25_886) == (13_101, 12_785, 0)
    assert examples_of(config) == by_http
