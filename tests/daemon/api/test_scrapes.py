"""However many ask for a page of metrics that is slow to make, everybody else is still answered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from daemon.app import App
from tests.daemon.api.test_events import fresh

IMPATIENT = 60  # more than the server has threads


def test_scrapes_that_pile_up_keep_nobody_else_waiting(
    app: App, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, made = threading.Event(), []
    make = app.metrics.page

    def slow_page(context: object) -> bytes:
        made.append(1)
        finish.wait(120)
        return make(app.context)

    monkeypatch.setattr(app.metrics, "page", slow_page)
    with ThreadPoolExecutor(IMPATIENT) as impatient, httpx.Client(base_url=client.base_url, trust_env=False) as other:
        try:
            scrapes = [impatient.submit(httpx.get, f"{client.base_url}/metrics", timeout=120) for _ in range(IMPATIENT)]
            while not made:
                threading.Event().wait(0.02)
            assert other.post("/v1/events", json=fresh(), timeout=60).json()["stored"] == 1
            assert other.get("/v1/status", timeout=60).is_success
        finally:
            finish.set()
        assert all(scrape.result().is_success for scrape in scrapes)
    assert len(made) < IMPATIENT / 2


def test_a_page_that_could_not_be_made_is_an_error_and_the_next_one_is_made_anew(
    app: App, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_context: object) -> bytes:
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(app.metrics, "page", broken)
        assert client.get("/metrics").status_code == 500
    assert client.get("/metrics").status_code == 200
