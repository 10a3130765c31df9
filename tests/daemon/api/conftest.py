"""One daemon without a model, in a thread, for all tests of the API that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from daemon.app import App
from tests.daemon.daemons import app_in_thread, write_yaml


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, httpx.Client]]:
    sources = [{"type": "http", "trusted_apps": ["shop"]}, {"type": "memory"}]
    config = {"sources": sources, "api": {"max_body": "1MiB", "max_waiting": 2}, "tasks": {"erd": None, "*": None}}
    with app_in_thread(write_yaml(tmp_path_factory.mktemp("api"), config)) as found:
        yield found


@pytest.fixture
def app(running: tuple[App, httpx.Client]) -> App:
    return running[0]


@pytest.fixture
def client(running: tuple[App, httpx.Client]) -> httpx.Client:
    return running[1]
