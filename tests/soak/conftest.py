from __future__ import annotations

from pathlib import Path

import pytest

from tests.learners.engines.tiny import make_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model whose answers vary, so that the gate's guards find nothing; made once."""
    return make_base(tmp_path_factory.mktemp("tiny-base"))
