"""Draws docs/images/batching_need: how each of the four moves the need. Run by `python -m bench.batching_plot`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from learners.batching import BatchEvidence, BatchingSettings, need_of

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SETTINGS = BatchingSettings()
NEUTRAL = BatchEvidence(
    task="erd",
    now=datetime(2026, 1, 1, tzinfo=UTC),
    oldest_wait_s=0.0,
    arrivals_per_hour=100 / 24,
    mean_signal=0.5,
    signal_trend=0.0,
    rarity=0.0,
    examples=(),
)
PANELS = [
    ("arrivals_per_hour", "availability: examples an hour", np.geomspace(0.05, 400, 200)),
    ("mean_signal", "quality: mean signal", np.linspace(0, 1, 200)),
    ("rarity", "rarity of the task", np.linspace(0, 1, 200)),
    ("signal_trend", "trend: change of the signal", np.linspace(-1, 1, 200)),
]


def _need(what: str, value: float) -> int:
    change: dict[str, Any] = {what: value}
    return need_of(replace(NEUTRAL, **change), SETTINGS)


def draw() -> Any:
    """One panel for each of the four, the other three held where they are neutral."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True, layout="constrained")
    for axis, (what, label, values) in zip(axes, PANELS, strict=True):
        needs = [_need(what, float(value)) for value in values]
        axis.plot(values, needs, color="#1f6feb", linewidth=2)
        axis.plot(getattr(NEUTRAL, what), need_of(NEUTRAL, SETTINGS), "o", color="#444444", markersize=5)
        axis.axhline(SETTINGS.min, color="#bbbbbb", linestyle=":")
        axis.axhline(SETTINGS.max, color="#bbbbbb", linestyle=":")
        axis.set_xlabel(label)
    axes[0].set_xscale("log")
    axes[0].set_ylabel("need (examples)")
    axes[0].set_ylim(0, 110)
    return figure


def main() -> None:
    """Write both pictures; the same code gives the same bytes."""
    plt.rcParams["svg.hashsalt"] = "adaptd"
    figure = draw()
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / "batching_need.png", dpi=110, metadata={"Software": None})
    figure.savefig(IMAGES / "batching_need.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
