"""What came in, what could not be read, and what batches wait for, as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.daemon.daemons import Daemon, adaptd, write_yaml
from tests.daemon.desk import as_bytes, wire

pytestmark = pytest.mark.slow

SECRET = "the words of a user"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_yaml(tmp_path, {"tasks": {"erd": {}}})
    sent = [
        wire("e1", interaction_id="i1", prompt=SECRET, response=SECRET),
        wire("e2", "correction", interaction_id="i2", prompt=SECRET, response=SECRET),
        wire("e3", "thumb", interaction_id="i3", thumb="sideways", prompt=SECRET, response=SECRET),
    ]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(as_bytes(one) for one in sent))
    assert adaptd("replay", "events.jsonl", "--to", "store", cwd=tmp_path).returncode == 0
    return tmp_path


def test_events_are_listed_newest_first_without_what_they_say(folder: Path) -> None:
    listed = adaptd("events", "list", "--json", cwd=folder)
    assert [one["event_id"] for one in json.loads(listed.stdout)] == ["e2", "e1"]
    assert [
        one["kind"] for one in json.loads(adaptd("events", "list", "--kind", "rating", "--json", cwd=folder).stdout)
    ] == ["rating"]
    people = adaptd("events", "list", cwd=folder).stdout
    assert "correction" in people
    assert SECRET not in listed.stdout + people


def test_dead_letters_say_where_and_why_and_quote_nobody(folder: Path) -> None:
    listed = adaptd("events", "dead-letters", "--json", cwd=folder)
    (letter,) = json.loads(listed.stdout)
    assert letter["reason"].startswith("thumb: ")
    people = adaptd("events", "dead-letters", cwd=folder).stdout
    assert "thumb" in people
    assert SECRET not in listed.stdout + people


def test_a_running_daemon_says_what_a_batch_waits_for(daemon: Daemon) -> None:
    cwd = daemon.config.parent
    found = json.loads(adaptd("batches", "--json", cwd=cwd).stdout)
    assert found["begun"] == []
    assert adaptd("batches", cwd=cwd).stdout.endswith("no batch has become an update yet\n")
    assert adaptd("events", "list", "--task", "nobody-learns-this", cwd=cwd).stdout.startswith("no events yet")
    assert adaptd("events", "dead-letters", "--task", "nobody-learns-this", cwd=cwd).stdout.startswith(
        "no dead letters"
    )
