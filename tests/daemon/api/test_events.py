"""`POST /v1/events` over real HTTP: what is answered, and that the answer is what the store holds."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.app import App
from daemon.errors import StoreBusy
from daemon.intake import Outcome, Parcel
from tests.daemon.daemons import PATIENCE_S, app_in_thread, write_yaml
from tests.daemon.desk import wire
from tests.services.waiting import wait_until


def fresh(kind: str = "rating", **fields: Any) -> dict[str, Any]:
    """An event that no other test sends."""
    return wire(uuid.uuid4().hex, kind, **{"interaction_id": uuid.uuid4().hex, **fields})


def post(client: httpx.Client, content: bytes | str, kind: str = "application/json") -> httpx.Response:
    return client.post("/v1/events", content=content, headers={"content-type": kind})


def counts(client: httpx.Client) -> dict[str, int]:
    found: dict[str, int] = client.get("/v1/status").json()["events"]
    return found


def test_one_event_is_answered_after_the_commit(client: httpx.Client) -> None:
    before, event = counts(client), fresh()
    answer = client.post("/v1/events", json=event)
    assert (answer.status_code, answer.json()) == (200, {"stored": 1, "duplicates": 0, "dead_letters": []})
    assert client.post("/v1/events", json=event).json() == {"stored": 0, "duplicates": 1, "dead_letters": []}
    after = counts(client)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "received": 2,
        "stored": 1,
        "duplicates": 1,
    }


def test_an_array_names_the_bad_ones_by_their_place(client: httpx.Client) -> None:
    event = fresh()
    answer = client.post("/v1/events", json=[event, {"kind": "rating"}, event, 7, fresh()])
    found = answer.json()
    assert answer.status_code == 200
    assert (found["stored"], found["duplicates"]) == (2, 1)
    assert [letter["index"] for letter in found["dead_letters"]] == [1, 3]
    assert all(set(letter) == {"index", "reason"} and letter["reason"] for letter in found["dead_letters"])


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json", "text/plain"])
def test_lines_are_events(client: httpx.Client, kind: str) -> None:
    body = "\n".join(json.dumps(fresh()) for _ in range(3)) + "\n\n"
    assert post(client, body, kind).json() == {"stored": 3, "duplicates": 0, "dead_letters": []}


def test_an_event_may_be_spread_over_lines(client: httpx.Client) -> None:
    assert post(client, json.dumps(fresh(), indent=2)).json()["stored"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"{",
        b'{"kind": "rating"}',
        b'"text"',
        b"[[]]",
        json.dumps(wire("nan", rating=float("nan"))).encode(),
        json.dumps(wire("surrogate", response="\ud800")).encode(),
        b"\xff\xfe\x00",
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=["text", "half", "empty", "string", "array", "NaN", "surrogate", "bytes", "deep"],
)
def test_what_nobody_can_read_is_422_with_its_reason(client: httpx.Client, body: bytes) -> None:
    answer = post(client, body)
    found = answer.json()
    assert (answer.status_code, found["stored"], found["duplicates"]) == (422, 0, 0)
    assert [letter["index"] for letter in found["dead_letters"]] == [0]


def test_a_bad_event_stops_no_good_one_in_an_array(client: httpx.Client) -> None:
    good = json.dumps(fresh()).encode()
    bad = [
        b'{"rating": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": 1' + b"0" * 9000 + b"}",
        b"[" * 900 + b"]" * 900,
    ]
    answer = post(client, b"[" + b",".join([*bad, good]) + b"]")
    assert (answer.status_code, answer.json()["stored"]) == (200, 1)
    assert [letter["index"] for letter in answer.json()["dead_letters"]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("body", [b"", b"  \n", b"[]"])
def test_a_request_without_events_is_the_senders_mistake(client: httpx.Client, body: bytes) -> None:
    before = counts(client)
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "the request has no event in it; send one JSON object, an array of them, or one a line"
    }
    assert counts(client) == before


def refused(client: httpx.Client, before: dict[str, int], times: int) -> bool:
    return counts(client) == {**before, "refused": before["refused"] + times}


def test_too_large_a_request_is_turned_away_whole(client: httpx.Client) -> None:
    before = counts(client)
    answer = post(client, json.dumps([fresh(), fresh(context={"x": "y" * 2**20})]))
    assert answer.status_code == 413
    assert answer.json() == {"error": "the request is larger than 1048576 bytes; send fewer events at once"}
    wait_until(lambda: refused(client, before, 1), PATIENCE_S, "the refusal to be counted")


def test_too_many_events_are_turned_away_whole(client: httpx.Client) -> None:
    before = counts(client)
    answer = post(client, "\n".join(["{}"] * 5001))
    assert (answer.status_code, answer.json()["error"]) == (413, "5001 events in one request; send at most 5000")
    wait_until(lambda: refused(client, before, 1), PATIENCE_S, "the refusal to be counted")


def test_a_huge_array_within_the_limits_is_taken(client: httpx.Client) -> None:
    sent = [wire(f"huge-{n}", "thumb", interaction_id="huge", user_id=None) for n in range(4000)]
    assert client.post("/v1/events", json=sent).json()["stored"] == 4000


@contextmanager
def busy_store(app: App) -> Iterator[None]:
    """A store whose writer is at work until the end of the block."""
    begun, done = threading.Event(), threading.Event()

    def work(_tx: object) -> None:
        begun.set()
        done.wait(PATIENCE_S)

    thread = threading.Thread(target=lambda: app.store.write(work))
    thread.start()
    assert begun.wait(PATIENCE_S)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_when_the_store_is_slow_the_next_are_asked_to_come_again(app: App, client: httpx.Client) -> None:
    answers: list[httpx.Response] = []
    before = counts(client)
    senders = [
        threading.Thread(target=lambda: answers.append(client.post("/v1/events", json=fresh()))) for _ in range(3)
    ]
    with busy_store(app):
        for sender in senders:
            sender.start()
        wait_until(lambda: bool(answers), PATIENCE_S, "the third request to be turned away")
        (full,) = answers
        assert (full.status_code, full.headers["retry-after"]) == (429, "1")
        assert "send again" in full.json()["error"]
        assert client.get("/healthz").json() == {"status": "ok"}
    for sender in senders:
        sender.join()
    assert [answer.status_code for answer in answers] == [429, 200, 200]
    expected = {**before, "received": before["received"] + 2, "stored": before["stored"] + 2}
    wait_until(lambda: refused(client, expected, 1), PATIENCE_S, "the refusal to be counted")


def test_what_cannot_be_made_durable_is_503(app: App, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_parcel: Parcel) -> Outcome:
        raise StoreBusy("not stored: the disk is full; send again")

    monkeypatch.setattr(app, "ingest", fail)
    answer = client.post("/v1/events", json=fresh())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "not stored: the disk is full; send again"}


def test_cloudevents_come_by_headers_by_content_type_and_in_batches(client: httpx.Client) -> None:
    data = {"interaction_id": "ce", "thumb": "up", "task": "erd"}
    envelope = {"specversion": "1.0", "id": "ce-1", "source": "shop", "type": "dev.adaptd.thumb"}
    envelope["time"] = "2026-11-01T10:00:00Z"
    binary = client.post("/v1/events", json=data, headers={f"ce-{name}": text for name, text in envelope.items()})
    assert binary.json()["stored"] == 1
    same = post(client, json.dumps({**envelope, "data": data}), "application/cloudevents+json")
    assert same.json()["duplicates"] == 1
    batch = json.dumps([{**envelope, "data": data}, {**envelope, "id": "ce-2", "data": data}])
    assert post(client, batch, "application/cloudevents-batch+json").json() == {
        "stored": 1,
        "duplicates": 1,
        "dead_letters": [],
    }


def test_trusted_apps_are_the_http_sources(client: httpx.Client) -> None:
    rated = fresh(user_id="u1")
    taken_back = fresh("retraction", retracts={"event_id": rated["event_id"]}, user_id="u2", app="shop")
    assert client.post("/v1/events", json=[rated, taken_back]).json()["stored"] == 2


def test_a_daemon_without_an_http_source_says_how_to_get_one(tmp_path: Path) -> None:
    with app_in_thread(write_yaml(tmp_path, {"sources": []})) as (_, client):
        answer = client.post("/v1/events", json=fresh())
        assert answer.status_code == 403
        assert "add `- {type: http}` to `sources:`" in answer.json()["error"]


def test_events_are_refused_while_the_store_is_not_in_its_place(tmp_path: Path) -> None:
    with app_in_thread(write_yaml(tmp_path, {})) as (app, client):
        assert client.post("/v1/events", json=wire("before")).json()["stored"] == 1
        app.store.path.rename(tmp_path / "away")
        (reason,) = client.get("/readyz").json()["not_ready"]
        assert reason.startswith(f"the store cannot be written: the store {app.store.path} is gone")
        refused = client.post("/v1/events", json=wire("during"))
        assert refused.status_code == 503
        assert "put the file back" in refused.json()["error"]
        (tmp_path / "away").rename(app.store.path)
        assert client.get("/readyz").is_success
        assert client.post("/v1/events", json=wire("during")).json()["stored"] == 1
