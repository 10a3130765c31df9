"""The trained small base for tests that need a model which has learned something; trained once, then cached."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.erd.base import ensure_base


def erd_base() -> Path:
    """The folder of the real small base. The first call on a machine trains it, about a minute of CPU.

    A test that may make that first call needs `@pytest.mark.train` and a time limit that allows for a busy machine.
    """
    return ensure_base(progress=False)


@pytest.fixture(scope="session")
def erd_base_dir() -> Path:
    """`erd_base()` as a fixture; import it into a conftest.py."""
    return erd_base()
