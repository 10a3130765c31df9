"""A fake engine and a fake daemon that knows its route."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon.gateway.servers import FakeDaemon, FakeEngine, gateway_at, serve


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def engine_url(engine: FakeEngine) -> Iterator[str]:
    with serve(engine.app) as url:
        yield url


@pytest.fixture
def daemon(engine_url: str) -> FakeDaemon:
    fake = FakeDaemon()
    fake.route_to(engine_url)
    return fake


@pytest.fixture
def api_url(daemon: FakeDaemon) -> Iterator[str]:
    with serve(daemon.app) as url:
        yield url


@pytest.fixture
def gateway_url(api_url: str) -> Iterator[str]:
    with gateway_at(api_url) as url:
        yield url
