"""A store in a folder of its own, a desk (an intake over one), and where an adaptd.yaml may stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from daemon.config import Config
from storage.store import Store
from tests.daemon.desk import Desk

# Property tests judge answers, not the machine's speed.
settings.register_profile("adaptd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("adaptd")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'adaptd.db'}") as opened:
        yield opened


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, Config.model_validate({"tasks": {"erd": {"validator": {"name": "mermaid_erd"}}}}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its adaptd.yaml; not there yet."""
    return tmp_path / "adaptd.yaml"
