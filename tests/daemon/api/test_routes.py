"""Every other route over real HTTP: health, metrics, status, reads, deeds, and errors of one shape."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from daemon.app import App
from storage import failures
from storage.errors import StoreUnavailable
from storage.records import Failure
from tests.daemon.api.test_events import fresh
from tests.daemon.daemons import PATIENCE_S
from tests.services.waiting import wait_until


def samples(client: httpx.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}


def test_the_bare_address_says_who_answers_and_every_door_it_names_is_there(client: httpx.Client) -> None:
    found = client.get("/").json()
    assert found.pop("name") == "adaptd"
    assert found.pop("version")
    for door in found.values():
        assert client.get(door).status_code == 200


def test_healthz_says_that_it_lives(client: httpx.Client) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").json()) == (200, {"status": "ok"})


def test_readyz_says_that_all_roles_can_work(client: httpx.Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "not_ready": []})


def test_readyz_says_what_is_missing(app: App, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert app._intake_loop is not None
    monkeypatch.setattr(app._intake_loop, "trouble", "the store cannot write: disk full")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "not_ready": ["the store cannot write: disk full"]},
    )
    assert client.get("/v1/status").json()["ready"] is False
    assert client.get("/healthz").status_code == 200


def test_metrics_count_what_becomes_of_events(client: httpx.Client) -> None:
    event = fresh()
    stored, duplicate, dead = (
        ("adaptd_events_total", (("kind", kind), ("outcome", outcome), ("source", "http")))
        for kind, outcome in (("rating", "stored"), ("rating", "duplicate"), ("unreadable", "dead_letter"))
    )
    kind = ("adaptd_events_stored_total", (("kind", "rating"), ("task", "erd")))
    client.post("/v1/events", json=event)
    before = samples(client)
    client.post("/v1/events", json=[event, fresh(), fresh(), 7])
    after = samples(client)
    assert [after[name] - before.get(name, 0) for name in (stored, duplicate, dead, kind)] == [2, 1, 1, 2]
    assert after["adaptd_ready", ()] == 1


def test_metrics_never_name_what_a_sender_chose(client: httpx.Client) -> None:
    client.post("/v1/events", json=fresh(task="my-secret-task", user_id="my-secret-user", app="my-secret-app"))
    assert ("adaptd_events_stored_total", (("kind", "rating"), ("task", "other"))) in samples(client)
    assert "secret" not in client.get("/metrics").text


def test_every_metric_says_what_it_is_for(client: httpx.Client) -> None:
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    assert families
    assert all(each.documentation.endswith((".", "?")) and each.name.startswith("adaptd_") for each in families)


STATUS = {
    "ready": bool,
    "not_ready": list,
    "version": str,
    "started_at": str,
    "roles": list,
    "config": {"loaded_at": str, "last_reload": str},
    "events": dict.fromkeys(("received", "stored", "duplicates", "dead_letters", "refused", "quarantined"), int),
    "sources": list,
    "tasks": dict,
}
TOTALS = dict.fromkeys(("promoted", "held", "rejected", "failed", "cancelled", "expired"), int)
TASK = {
    "learners": {"curriculum": bool, "preference": str},
    "updates": {"running": type(None), "queued": int, "totals": TOTALS},
    "scores": list,
}


def shaped(found: Any, shape: Any) -> None:
    """What is promised is there, each of its kind; more may be."""
    if isinstance(shape, dict):
        for name, inner in shape.items():
            assert name in found
            shaped(found[name], inner)
    else:
        assert isinstance(found, shape)


def test_status_has_the_promised_shape(client: httpx.Client) -> None:
    found = client.get("/v1/status").json()
    shaped(found, STATUS)
    assert (found["ready"], found["roles"], found["config"]["last_reload"]) == (True, ["intake", "api"], "ok")
    assert found["sources"] == [{"name": "memory", "state": "polling", "lag": 0, "reason": "", "lost_records": 0}]
    shaped(found["tasks"]["erd"], TASK)
    assert {"champion", "batch"} <= set(found["tasks"]["erd"])
    assert "*" not in found["tasks"]


@pytest.mark.parametrize("path", ["/v1/updates", "/v1/adapters", "/v1/decisions"])
def test_lists_of_a_young_daemon_are_empty(client: httpx.Client, path: str) -> None:
    assert (client.get(path).status_code, client.get(path).json()) == (200, [])
    assert client.get(path, params={"task": "erd"}).json() == []


def test_questions_are_shown_and_never_cached(client: httpx.Client) -> None:
    answer = client.get("/v1/ask", params={"task": "erd", "count": 2})
    assert answer.status_code == 200
    assert set(answer.json()) == {"task", "candidates", "reason", "questions"}
    assert answer.headers["cache-control"] == "no-store"


def test_failures_with_the_learner_off_say_how_to_switch_it_on_and_texts_are_never_cached(
    app: App, client: httpx.Client
) -> None:
    answer = client.get("/v1/failures", params={"task": "erd"})
    assert (answer.status_code, set(answer.json())) == (403, {"error"})
    assert "adaptd learners enable hard_negatives --task erd" in answer.json()["error"]
    at = datetime(2026, 11, 1, tzinfo=UTC)
    app.store.write(lambda tx: failures.save_failures(tx, [Failure("shown", "check:keys", 1, at, at, "open", at)]))
    wanted = {"task": "shown", "kind": "check:keys"}
    plain, texts = (client.get("/v1/failures", params={**wanted, "texts": asked}) for asked in (False, True))
    assert (plain.json()["kinds"][0]["words"], plain.json()["examples"]) == ("fails the sub-check keys", [])
    assert ("cache-control" in plain.headers, texts.headers["cache-control"]) == (False, "no-store")


def test_routes_of_a_daemon_without_an_engine_are_none(client: httpx.Client) -> None:
    assert client.get("/v1/routes").json() == {"tasks": {}}


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/v1/updates/7", "there is no update 7"),
        ("POST", "/v1/updates/7/cancel", "there is no update 7"),
        ("GET", "/v1/adapters/erd@v1", "there is no adapter erd@v1"),
        ("GET", "/v1/adapters/erd/acme@v1", "there is no adapter erd/acme@v1"),
        ("POST", "/v1/promote?adapter=erd@v1", "there is no adapter erd@v1"),
        ("POST", "/v1/rollback?task=erd", "no task erd has a line of adapters"),
        ("GET", "/nowhere", "Not Found"),
    ],
)
def test_what_is_not_there_is_404(client: httpx.Client, method: str, path: str, words: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/v1/updates/seven", "update_id: "),
        ("GET", "/v1/updates?limit=0", "limit: "),
        ("GET", "/v1/decisions?limit=100000", "limit: "),
        ("GET", "/v1/ask?task=erd&count=0", "count: "),
        ("GET", "/v1/ask", "task: "),
        ("POST", "/v1/promote", "adapter: "),
    ],
)
def test_a_request_of_the_wrong_shape_says_which_part(client: httpx.Client, method: str, path: str, words: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(words)


def test_the_wrong_method_is_405(client: httpx.Client) -> None:
    answer = client.delete("/v1/events")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})


def test_a_store_that_cannot_be_read_is_503(app: App, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_step: object) -> None:
        raise StoreUnavailable("the store cannot be read: disk I/O error")

    monkeypatch.setattr(app.store, "read", fail)
    answer = client.get("/v1/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "the store cannot be read: disk I/O error"}
    assert client.get("/healthz").status_code == 200


def test_a_bug_is_500_and_its_text_is_not_told(
    app: App, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_step: object) -> None:
        raise KeyError("my secret")

    monkeypatch.setattr(app.store, "read", fail)
    with structlog.testing.capture_logs() as logged, caplog.at_level(logging.INFO):
        answer = client.get("/v1/status")
        assert (answer.status_code, answer.json()) == (500, {"error": "a bug in adaptd; see its log"})
        wait_until(lambda: _told(logged), PATIENCE_S, "the bug to be logged", lambda: repr(logged))
    assert "secret" not in repr(logged) + caplog.text


def _told(logged: Sequence[Mapping[str, Any]]) -> bool:
    """Other threads meet the same store, and may say something first."""
    return any(str(one.get("reason", "")).startswith("KeyError in test_routes.py:") for one in logged)


def test_the_docs_list_every_route(client: httpx.Client) -> None:
    assert client.get("/docs").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/healthz", "/readyz", "/metrics", "/v1/events", "/v1/status", "/v1/adapters", "/v1/updates"} <= set(paths)
