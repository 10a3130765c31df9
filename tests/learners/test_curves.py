"""Curves that are kept with an update: bounded, and with every phase."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from learners.curves import MOST_POINTS, curves_of
from learners.job import Progress


def line(done: int, loss: float | None = None, dev: float | None = None, phase: str = "sft") -> Progress:
    return Progress(at=datetime(2026, 1, 1, tzinfo=UTC), done=done, total=9, phase=phase, loss=loss, dev_loss=dev)


def test_each_phase_has_its_curve_with_its_readings_of_dev() -> None:
    told = [line(1, 3.0), line(2, 2.0), line(2, dev=2.5), line(3, 0.7, phase="dpo"), line(4, 0.6, phase="dpo")]
    sft, dpo = curves_of(told)
    assert (sft.method, sft.steps, sft.loss, sft.dev_steps, sft.dev) == ("sft", (1, 2), (3.0, 2.0), (2,), (2.5,))
    assert (dpo.method, dpo.steps, dpo.loss, dpo.dev) == ("dpo", (3, 4), (0.7, 0.6), ())


def test_a_long_run_is_thinned_to_means_that_keep_its_whole() -> None:
    (curve,) = curves_of([line(step, float(step)) for step in range(1, 1001)])
    assert len(curve.steps) == MOST_POINTS
    assert curve.steps[-1] == 1000
    assert sum(curve.loss) / MOST_POINTS == pytest.approx(500.5, abs=1)


def test_of_a_step_that_was_trained_twice_the_last_counts() -> None:
    (curve,) = curves_of([line(1, 3.0), line(2, 9.0), line(2, 2.0), line(3, 1.0)])
    assert (curve.steps, curve.loss) == ((1, 2, 3), (3.0, 2.0, 1.0))


def test_without_progress_there_is_no_curve() -> None:
    assert curves_of([]) == ()
