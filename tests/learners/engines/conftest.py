"""A tiny base with three adapters, made once, and one local engine over it for the tests that ask it by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from learners.engines.client import EngineClient
from learners.engines.process import PortProcess, local_engine_command
from tests.learners.engines.tiny import make_adapter, make_base

MAX_ADAPTERS = 3


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def adapters(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        "one": make_adapter(tiny_base, folder / "one", seed=1),
        "two": make_adapter(tiny_base, folder / "two", seed=2, rank=8),
        "big": make_adapter(tiny_base, folder / "big", seed=3, rank=16),
    }


@pytest.fixture(scope="session")
def engine(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortProcess]:
    command = local_engine_command(tiny_base, threads=1, max_adapters=MAX_ADAPTERS, max_rank=8)
    process = PortProcess(command, tmp_path_factory.mktemp("engine"))
    process.start()
    try:
        process.wait_ready(timeout_s=180)
        yield process
    finally:
        process.stop()


@pytest.fixture
def client(engine: PortProcess) -> Iterator[EngineClient]:
    """A client of the engine, with no adapters loaded when the test begins."""
    assert engine.url, f"the engine died: {engine.last_words()}"
    with EngineClient(engine.url, timeout_s=60) as client:
        for model in client.models():
            if model.parent is not None:
                client.unload(model.name)
        yield client
