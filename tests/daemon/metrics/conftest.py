"""One page over one desk."""

from __future__ import annotations

import pytest

from tests.daemon.desk import Desk
from tests.daemon.metrics.pages import Page


@pytest.fixture
def page(desk: Desk) -> Page:
    return Page(desk)
