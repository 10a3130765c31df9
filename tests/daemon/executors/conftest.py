from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.executors.local import LocalExecutor
from tests.learners.training.tiny import make_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model; made once."""
    return make_base(tmp_path_factory.mktemp("tiny-base"))


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """One over the fork server that all tests share; what a test leaves running is ended."""
    executor = LocalExecutor()
    yield executor
    executor.close()
