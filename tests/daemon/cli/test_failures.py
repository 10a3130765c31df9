"""`adaptd failures`, in this process and on a store without a daemon: the table, the examples, and what cannot be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.cli.failures import age_in_words
from daemon.cli.status import MOST_KINDS
from daemon.config import load
from storage import failures, registry
from storage.records import Diagnosis, Failure, Message
from storage.store import Store
from tests.daemon.cli.test_options import run
from tests.daemon.daemons import write_yaml
from tests.storage.makers import example, keep


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """One of a task with a store in which one example fails."""
    path = write_yaml(
        tmp_path, {"learners": {"hard_negatives": True}, "storage": {"url": f"sqlite:///{tmp_path}/a.db"}}
    )
    now = datetime.now(UTC)
    one = example("i-secret", effective_at=now - timedelta(hours=2), messages=(Message("user", "Draw a shop."),))
    kind = Failure("erd", "check:keys", 7, now - timedelta(days=3), now - timedelta(hours=2), "back again", now)
    with Store.open(load(path, environ={}).storage.url) as store:
        store.write(lambda tx: registry.ensure_line(tx, "erd", "hash", now))
        store.write(lambda tx: keep(tx, one))
        store.write(lambda tx: failures.save_failures(tx, [kind]))
        store.write(
            lambda tx: failures.save_diagnoses(tx, "erd", [Diagnosis("i-secret", now, "erd@v0", ("check:keys",))])
        )
        store.write(lambda tx: failures.add_to_tally(tx, "erd", "erd@v0", {"check:keys": 1}, 8))
    return path


def told(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> str:
    assert run(monkeypatch, "failures", *arguments, "-c", config) == code
    said = capsys.readouterr()
    return " ".join((said.err if code else said.out).split())


def test_failures_are_a_table_of_kinds_then_of_examples_and_texts_on_request(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = told(config, monkeypatch, capsys, "erd")
    assert "check:keys fails the sub-check keys back again 7 12.5 % of 8 3 days ago 2 hours ago" in table
    examples = told(config, monkeypatch, capsys, "erd", "check:keys")
    assert "i-secret 2 hours ago not said" in examples
    assert "Draw a shop." not in examples
    texts = told(config, monkeypatch, capsys, "erd", "check:keys", "--texts")
    assert "i-secret, 2 hours ago, adapter not said prompt: Draw a shop. answer: erDiagram" in texts
    (one,) = json.loads(told(config, monkeypatch, capsys, "erd", "check:keys", "--json"))["examples"]
    assert (one["interaction_id"], one["prompt"]) == ("i-secret", None)


def test_a_kind_that_is_not_there_ends_with_those_that_are(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(config, monkeypatch, capsys, "erd", "check:x", code=2)
    assert "task erd has no kind of failure check:x; there are check:keys" in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "now"), (1, "1 second ago"), (119, "1 minute ago"), (7200, "2 hours ago"), (3 * 86400 + 5, "3 days ago")],
)
def test_ages_are_told_in_the_largest_unit_that_they_fill(seconds: float, words: str) -> None:
    assert age_in_words(seconds) == words


def test_status_names_the_first_kinds_alone_where_there_are_many(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(load(config, environ={}).storage.url) as store:
        now = datetime.now(UTC)
        kinds = [Failure("erd", f"check:made up {at}", 1, now, now, "open", now) for at in range(MOST_KINDS + 2)]
        store.write(lambda tx: failures.save_failures(tx, kinds))
    assert run(monkeypatch, "status", "-c", config) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "and 3 more kinds; adaptd failures erd says more" in told
    assert told.count("check:made up") == MOST_KINDS - 1
