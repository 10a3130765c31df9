"""The gateway by HTTP, between a fake engine and a fake daemon."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.daemon.gateway.servers import FakeDaemon, FakeEngine, gateway_at, serve, wait_until

HELLO: Any = [{"role": "user", "content": "hello"}]


def ask(url: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{url}/v1/chat/completions", json=body or {"model": "erd", "messages": HELLO}, headers=named, timeout=30
    )


def test_the_openai_client_gets_the_champions_answer(gateway_url: str) -> None:
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(model="erd", messages=HELLO)
        assert answer.choices[0].message.content == "erd-v3-aa: hello"
        assert answer.model == "erd@v3"
        assert answer.usage is not None
        assert answer.usage.total_tokens == 7
        marked = answer.model_extra or {}
        assert marked["adaptd"]["adapter"] == "erd@v3"
        assert UUID(marked["adaptd"]["interaction_id"]).version == 7


def test_the_openai_client_reads_the_interaction_id_from_the_header(gateway_url: str) -> None:
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="none") as client:
        raw = client.chat.completions.with_raw_response.create(model="erd@v2", messages=HELLO)
        marked = (raw.parse().model_extra or {})["adaptd"]
        assert raw.headers["x-adaptd-interaction-id"] == marked["interaction_id"]
        assert marked["adapter"] == "erd@v2"


def test_a_legacy_completion_works_and_is_recorded_as_one_user_message(gateway_url: str, daemon: FakeDaemon) -> None:
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="none") as client:
        answer = client.completions.create(model="erd@v0", prompt="hello", max_tokens=9)
    assert answer.choices[0].text == "base: hello"
    wait_until(lambda: daemon.events)
    assert daemon.events[0]["messages"] == HELLO
    assert daemon.events[0]["sampling"] == {"temperature": 1.0, "top_p": 1.0, "max_tokens": 9}


def test_the_openai_client_lists_tasks_and_versions(gateway_url: str) -> None:
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="none") as client:
        assert [m.id for m in client.models.list()] == ["erd", "erd@v3", "erd@v2", "erd@v0"]


def test_the_openai_client_sees_refusals_as_its_own_errors(gateway_url: str) -> None:
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(BadRequestError, match="'stream' is not in this version"):
            client.chat.completions.create(model="erd", messages=HELLO, stream=True)
        with pytest.raises(NotFoundError, match="these are: erd@v3, erd@v2, erd@v0"):
            client.chat.completions.create(model="erd@v7", messages=HELLO)
        with pytest.raises(NotFoundError, match="there are: erd"):
            client.chat.completions.create(model="gpt-4o", messages=HELLO)


def test_an_interaction_is_recorded_whole(gateway_url: str, daemon: FakeDaemon) -> None:
    body = {
        "model": "erd",
        "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
        ],
        "temperature": 0,
        "seed": 4,
        "user": "u-7",
    }
    interaction_id = ask(gateway_url, body).json()["adaptd"]["interaction_id"]
    wait_until(lambda: daemon.events)
    event = daemon.events[0]
    assert event.pop("occurred_at").endswith("+00:00")
    assert event == {
        "schema": 1,
        "event_id": interaction_id,
        "kind": "interaction",
        "task": "erd",
        "app": "gateway",
        "interaction_id": interaction_id,
        "user_id": "u-7",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}],
        "response": "erd-v3-aa: hello",
        "model": "erd-v3-aa",
        "adapter": "erd@v3",
        "finish_reason": "stop",
        "sampling": {"temperature": 0, "top_p": 1.0, "seed": 4},
    }


def test_the_user_header_goes_before_the_user_field(gateway_url: str, daemon: FakeDaemon) -> None:
    ask(gateway_url, {"model": "erd", "messages": HELLO, "user": "body"}, x_adaptd_user="header")
    wait_until(lambda: daemon.events)
    assert daemon.events[0]["user_id"] == "header"


def test_a_request_may_stay_unrecorded(gateway_url: str, daemon: FakeDaemon) -> None:
    assert ask(gateway_url, x_adaptd_record="none").is_success
    ask(gateway_url)
    wait_until(lambda: daemon.events)
    assert len(daemon.events) == 1
    assert ask(gateway_url, x_adaptd_record="please").status_code == 400


def test_what_is_sent_on_is_what_was_understood(gateway_url: str, engine: FakeEngine) -> None:
    ask(gateway_url, {"model": "erd", "messages": HELLO, "user": "u", "max_completion_tokens": 5, "metadata": {"a": 1}})
    assert engine.asked == [
        {"model": "erd-v3-aa", "messages": HELLO, "temperature": 1.0, "top_p": 1.0, "max_tokens": 5}
    ]


def test_without_routes_it_says_to_come_again_and_then_serves(api_url: str, daemon: FakeDaemon) -> None:
    routes, daemon.routes = daemon.routes, None
    with gateway_at(api_url) as url:
        answer = ask(url)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "has not told the gateway yet" in answer.json()["error"]["message"]
        daemon.routes = routes
        wait_until(lambda: ask(url).is_success)


def test_last_good_routes_serve_while_the_daemon_is_away(daemon: FakeDaemon) -> None:
    with serve(daemon.app) as api_url:
        gateway = gateway_at(api_url)
        url = gateway.__enter__()
    try:
        wait_until(lambda: "adaptd_gateway_route_errors_total 0.0" not in httpx.get(f"{url}/metrics").text)
        assert ask(url).json()["adaptd"]["adapter"] == "erd@v3"
    finally:
        gateway.__exit__(None, None, None)


def test_a_new_champion_is_taken_up_without_a_restart(gateway_url: str, daemon: FakeDaemon) -> None:
    assert daemon.routes is not None
    erd = daemon.routes["tasks"]["erd"]
    daemon.routes = {"tasks": {"erd": {**erd, "champion": "erd@v2", "engine_model": "erd-v2-bb"}}}
    wait_until(lambda: ask(gateway_url).json()["adaptd"]["adapter"] == "erd@v2")


def test_an_adapter_that_was_just_unloaded_is_asked_for_under_its_new_route(
    gateway_url: str, daemon: FakeDaemon, engine: FakeEngine
) -> None:
    assert daemon.routes is not None
    erd = daemon.routes["tasks"]["erd"]
    assert ask(gateway_url).is_success
    engine.known.remove("erd-v3-aa")
    daemon.routes = {"tasks": {"erd": {**erd, "champion": "erd@v2", "engine_model": "erd-v2-bb"}}}
    assert ask(gateway_url).json()["adaptd"]["adapter"] == "erd@v2"


@pytest.mark.parametrize(
    ("engine_says", "status"),
    [((400, "too long"), 400), ((503, "full"), 503), ((504, "late"), 504), ((500, "broke"), 502)],
)
def test_the_engines_refusal_reaches_the_caller(
    engine_says: tuple[int, str], status: int, gateway_url: str, engine: FakeEngine, daemon: FakeDaemon
) -> None:
    engine.refuse = engine_says
    answer = ask(gateway_url)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, engine_says[1])
    assert not daemon.events


def test_an_absent_engine_is_said(api_url: str, daemon: FakeDaemon) -> None:
    daemon.route_to("http://127.0.0.1:1")
    with gateway_at(api_url) as url:
        answer = ask(url)
    assert answer.status_code == 503
    assert "engine cannot be reached" in answer.json()["error"]["message"]


@pytest.mark.parametrize("status", [429, 503])
def test_recording_is_tried_again_when_the_daemon_is_full(status: int, gateway_url: str, daemon: FakeDaemon) -> None:
    daemon.refuse = [(status, {"retry-after": "0"})] * 2
    interaction_id = ask(gateway_url).json()["adaptd"]["interaction_id"]
    wait_until(lambda: daemon.events)
    assert [e["event_id"] for e in daemon.events] == [interaction_id]
    assert (
        f'adaptd_gateway_record_errors_total{{reason="status {status}"}} 2.0'
        in httpx.get(f"{gateway_url}/metrics").text
    )


def test_an_interaction_that_the_daemon_cannot_read_is_dropped_and_counted(
    gateway_url: str, daemon: FakeDaemon
) -> None:
    daemon.refuse = [(422, {})]
    ask(gateway_url)
    dropped = 'adaptd_gateway_record_dropped_total{reason="status 422"} 1.0'
    wait_until(lambda: dropped in httpx.get(f"{gateway_url}/metrics").text)


def test_a_batch_too_big_for_the_daemon_is_sent_in_parts(gateway_url: str, daemon: FakeDaemon) -> None:
    daemon.most_at_once = 2
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda _: ask(gateway_url), range(9)))
    wait_until(lambda: len(daemon.events) == 9)


def test_a_full_record_queue_drops_and_counts_but_answers(daemon: FakeDaemon) -> None:
    with serve(daemon.app) as api_url:
        gateway = gateway_at(api_url, record_queue=2)
        url = gateway.__enter__()
    try:
        assert all(ask(url).is_success for _ in range(5))
        assert 'adaptd_gateway_record_dropped_total{reason="queue full"} 3.0' in httpx.get(f"{url}/metrics").text
    finally:
        gateway.__exit__(None, None, None)


def test_recording_in_sync_is_stored_before_the_answer(api_url: str, daemon: FakeDaemon) -> None:
    with gateway_at(api_url, record="sync") as url:
        interaction_id = ask(url).json()["adaptd"]["interaction_id"]
        assert [e["event_id"] for e in daemon.events] == [interaction_id]


def test_recording_in_sync_withholds_an_answer_that_could_not_be_stored(api_url: str, daemon: FakeDaemon) -> None:
    daemon.refuse = [(503, {})]
    with gateway_at(api_url, record="sync") as url:
        answer = ask(url)
    assert answer.status_code == 503
    assert "could not be recorded" in answer.json()["error"]["message"]


def test_interactions_that_wait_are_recorded_before_it_ends(api_url: str, daemon: FakeDaemon) -> None:
    daemon.refuse = [(503, {})]
    with gateway_at(api_url) as url:
        ask(url)
    assert len(daemon.events) == 1


def test_a_body_over_its_bound_is_refused(api_url: str) -> None:
    with gateway_at(api_url, max_body_bytes=200) as url:
        answer = ask(url, {"model": "erd", "messages": [{"role": "user", "content": "x" * 300}]})
    assert answer.status_code == 413


def test_more_requests_than_its_bound_are_asked_to_come_again(gateway_url: str, api_url: str) -> None:
    with gateway_at(api_url, max_in_flight=1) as url, ThreadPoolExecutor(20) as pool:
        codes = {answer.status_code for answer in pool.map(lambda _: ask(url), range(60))}
        assert codes <= {200, 503}
        assert 200 in codes


def test_metrics_name_no_model_that_a_caller_made_up(gateway_url: str) -> None:
    ask(gateway_url, {"model": "SECRET", "messages": HELLO})
    metrics = httpx.get(f"{gateway_url}/metrics").text
    assert 'adaptd_gateway_requests_total{code="404",task="other"} 1.0' in metrics
    assert "SECRET" not in metrics


def test_health_says_whether_routes_are_known(gateway_url: str) -> None:
    assert httpx.get(f"{gateway_url}/healthz").json() == {"status": "ok", "routes_known": True}
