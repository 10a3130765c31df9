"""The commands as a user has them: real processes, what they print, how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.config import load
from tests.daemon.daemons import Daemon, adaptd, free_port, write_yaml
from tests.daemon.desk import as_bytes, wire

pytestmark = pytest.mark.slow


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    lines = [as_bytes(wire(f"{tmp_path.name}-{n}", task=None, interaction_id=f"{tmp_path.name}-{n}")) for n in range(3)]
    path.write_bytes(b"\n".join([*lines, b"nonsense", lines[0]]))
    return path


def test_init_writes_a_config_once(tmp_path: Path) -> None:
    first = adaptd("init", "--users", "one", cwd=tmp_path)
    assert first.returncode == 0
    assert first.stdout.startswith("adaptd.yaml written. Set model.base and the tasks, then: adaptd run\n")
    assert load(tmp_path / "adaptd.yaml", environ={}).batching.min_users == 1
    again = adaptd("init", cwd=tmp_path)
    assert again.returncode == 6
    assert "adaptd.yaml exists already; --force writes over it, -c names another file" in again.stderr


def test_without_a_daemon_status_reads_the_store_and_says_so(tmp_path: Path, events: Path) -> None:
    config = write_yaml(tmp_path, {})
    none = adaptd("status", cwd=tmp_path)
    assert none.returncode == 5
    assert "there is no store at" in none.stderr
    sent = adaptd("replay", events, "--to", "store", "--task", "erd", "--json", cwd=tmp_path)
    assert sent.returncode == 0, sent.stderr
    report = json.loads(sent.stdout)
    assert (report["sent"], report["stored"], report["duplicates"], report["dead_letters"]) == (5, 3, 1, 1)
    status = adaptd("status", "--json", "--config", config, cwd=tmp_path.parent)
    assert status.returncode == 0
    assert "no daemon answers at" in status.stderr
    assert "Reading the store of" in status.stderr
    found = json.loads(status.stdout)
    assert (found["ready"], found["events"]["stored"], list(found["tasks"])) == (False, 3, ["erd"])


def test_status_of_a_running_daemon_is_for_people_or_programs(daemon: Daemon) -> None:
    folder = daemon.config.parent
    people = adaptd("status", cwd=folder)
    assert people.returncode == 0
    assert "ready  intake api" in people.stdout
    assert "task erd" in people.stdout
    assert people.stderr == ""
    programs = adaptd("status", "--json", cwd=folder)
    assert json.loads(programs.stdout).keys() == daemon.status().keys()


def test_a_replay_to_the_daemon_says_what_became_of_it(daemon: Daemon, events: Path) -> None:
    folder, before = daemon.config.parent, daemon.status()["events"]["stored"]
    sent = adaptd("replay", events, "--task", "erd", "--times", "shift-to-now", cwd=folder)
    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.splitlines() == [
        "5 sent: 3 stored, 1 duplicates, 1 dead letters",
        "  1 x not JSON",
    ]
    again = adaptd("replay", events, "--task", "erd", cwd=folder)
    assert again.stdout.splitlines()[0] == "5 sent: 0 stored, 4 duplicates, 1 dead letters"
    assert daemon.status()["events"]["stored"] == before + 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["replay", "none.jsonl"], 2, "none.jsonl: there is no such file"),
        (["adapters", "show", "erd@v9"], 2, "there is no adapter erd@v9; `adaptd adapters list` shows those that are"),
        (["adapters", "rollback", "erd"], 2, "no task erd has a line of adapters"),
        (["updates", "cancel", "7"], 2, "there is no update 7"),
        (["bogus"], 2, "No such command"),
        (["run", "--role", "cook"], 2, "--role cook: unknown; known are intake, learn, api, gateway"),
        (["run", "--log-format", "xml"], 2, "--log-format xml: choose one of text, json"),
        (["run", "--set", "batching.min=few"], 3, "--set batching.min=few: batching.min: "),
        (["status", "--config", "none.yaml", "--url", "http://127.0.0.1:9"], 4, "no daemon answers at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_ends_with_its_code_and_a_line(
    daemon: Daemon, arguments: list[str], code: int, words: str
) -> None:
    done = adaptd(*arguments, cwd=daemon.config.parent)
    assert done.returncode == code
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_replay_into_the_store_is_refused_while_a_daemon_holds_it(daemon: Daemon, events: Path) -> None:
    done = adaptd("replay", events, "--to", "store", cwd=daemon.config.parent)
    assert done.returncode == 5
    assert f"is open for writing by process {daemon.process.pid}" in done.stderr


def test_lists_take_json(daemon: Daemon) -> None:
    for noun in ("adapters", "updates"):
        assert json.loads(adaptd(noun, "list", "--json", cwd=daemon.config.parent).stdout) == []
        assert adaptd(noun, "list", cwd=daemon.config.parent).stdout.startswith(f"no {noun} yet; ")


def test_a_replay_to_a_broker_that_is_absent_is_unreachable(
    tmp_path: Path, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = adaptd("replay", events, "--to", "kafka", "--bootstrap", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert done.returncode == 4
    assert "no Kafka broker answers at 127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_ask_shows_what_to_judge_and_how_to_answer(tmp_path: Path) -> None:
    write_yaml(tmp_path, {"batching": {"max_share_per_user": 1}})
    lines = [
        as_bytes(wire(f"e{n}", "interaction", interaction_id=f"i{n}", prompt=f"Draw shop {n}.\x1b[31m\u202e\nPlease"))
        for n in range(40)
    ]
    (tmp_path / "seen.jsonl").write_bytes(b"\n".join(lines))
    assert adaptd("replay", "seen.jsonl", "--to", "store", "--task", "erd", cwd=tmp_path).returncode == 0
    people = adaptd("ask", "erd", "--count", "1", cwd=tmp_path)
    assert people.returncode == 0, people.stderr
    assert "Writing to the store of" in people.stderr
    assert "1. interaction_id i" in people.stdout
    assert "prompt: Draw shop" in people.stdout
    assert ".\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\nPlease\n" in people.stdout, "a terminal obeys none"
    assert "To answer, send an event with that interaction_id" in people.stdout
    programs = json.loads(adaptd("ask", "erd", "--count", "1", "--json", cwd=tmp_path).stdout)
    assert programs["questions"][0]["interaction_id"] not in people.stdout
    absent = adaptd("ask", "nowhere", cwd=tmp_path)
    assert (absent.returncode, absent.stderr.splitlines()[-1]) == (
        2,
        "adaptd: no task nowhere is learned here; `adaptd tasks` shows those that are",
    )
