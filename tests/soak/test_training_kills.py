"""The daemon is killed while it trains and judges: no update is lost, no adapter is half, no process is left behind.

These are promises I3, I4 and I5; `make soak` runs the long one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.training_run import Figures, Moment, Plan, run_with_kills

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(1800)]


def figures_of(base: Path, folder: Path, plan: Plan) -> Figures:
    figures = run_with_kills(base, folder, plan)
    print(f"\n{plan}\n{figures.table()}\n  faults: {'; '.join(figures.faults()) or 'none'}")
    return figures


def test_a_kill_while_it_trains_leaves_nothing_half(tiny_base: Path, tmp_path: Path) -> None:
    figures = figures_of(tiny_base, tmp_path, Plan(("train",), seed=1))
    assert figures.faults() == []
    assert figures.adapters > 0


@pytest.mark.soak
def test_five_kills_while_it_trains_and_judges_leave_nothing_half(tiny_base: Path, tmp_path: Path) -> None:
    moments: tuple[Moment, ...] = ("train", "evaluate", "train", "evaluate", "train")
    figures = figures_of(tiny_base, tmp_path, Plan(moments, seed=5))
    assert figures.faults() == []
    assert figures.lost_train > 0, "no kill met a worker that trained: the moments are wrong"
