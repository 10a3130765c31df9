"""`make bench-learning-quick`, as `make test` runs it: the machinery from end to end on the small base."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.timeout(900)
def test_sft_on_what_users_told_betters_the_small_base(erd_base_dir: Path, tmp_path: Path) -> None:
    assert erd_base_dir.is_dir()
    from bench.learning.quick import run_quick

    said = run_quick(tmp_path).splitlines()
    assert [line.split(",")[0] for line in said] == ["sft", "sft"]
