"""One daemon as a process of its own, for commands that talk to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.daemons import Daemon, write_yaml
from tests.learners.training.tiny import make_base


@pytest.fixture(scope="package")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(write_yaml(tmp_path_factory.mktemp("daemon"), {})) as running:
        yield running


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model; made once."""
    return make_base(tmp_path_factory.mktemp("tiny-base"))
