"""One daemon as a process of its own, for commands that talk to one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon.daemons import Daemon, write_yaml


@pytest.fixture(scope="package")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(write_yaml(tmp_path_factory.mktemp("daemon"), {})) as running:
        yield running
