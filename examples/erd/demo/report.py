"""What is left of a demo: a summary in words, a plot, and the JSON that tests read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One score of the served adapter; `at_s` since the demo's start, `changed` under the new wish."""

    adapter: str
    value: float
    at_s: float
    changed: bool


@dataclass(frozen=True)
class Batch:
    """How much of one batch the busiest user gave, and how much one user may give."""

    size: int
    most_of_one_user: int
    cap: int

    @classmethod
    def of(cls, detail: dict[str, Any]) -> Batch:
        return cls(detail["batch"], detail["most_of_one_user"], detail["cap"])


@dataclass
class Story:
    """Everything that a demo measured."""

    seed: int
    readings: list[Reading] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def largest_share(self) -> float:
        return max((batch.most_of_one_user / batch.size for batch in self.batches), default=0.0)

    @property
    def over_cap(self) -> int:
        """Batches in which one user had more than the cap allows."""
        return sum(batch.most_of_one_user > batch.cap for batch in self.batches)

    def as_json(self) -> dict[str, Any]:
        """The promised shape; scores in [0, 1], in order; `change_at` is the index of the first under the new wish."""
        return {
            "scores": [round(reading.value, 4) for reading in self.readings],
            "change_at": next((at for at, reading in enumerate(self.readings) if reading.changed), None),
            "promoted": self.totals.get("promoted", 0),
            "held": self.totals.get("held", 0) + self.totals.get("expired", 0),
            "rejected": self.totals.get("rejected", 0),
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
            "largest_share": round(self.largest_share, 3),
            "over_cap": self.over_cap,
            "adapters": [reading.adapter for reading in self.readings],
        }


def write_json(story: Story, path: Path) -> None:
    path.write_text(json.dumps(story.as_json(), indent=2) + "\n", encoding="utf-8")


def plot(story: Story, path: Path) -> None:
    """Score by time, the change of wish marked; PNG or SVG by the file's name."""
    from matplotlib.figure import Figure  # slow to import, and only needed at the end

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    times = [reading.at_s for reading in story.readings]
    axes.plot(times, [100 * reading.value for reading in story.readings], marker="o", color="tab:blue")
    for reading in story.readings:
        axes.annotate(
            reading.adapter,
            (reading.at_s, 100 * reading.value),
            xytext=(5, -12),
            textcoords="offset points",
            fontsize=8,
        )
    change = next((reading.at_s for reading in story.readings if reading.changed), None)
    if change is not None:
        axes.axvline(change, color="tab:red", linestyle="--", label="users want something new")
        axes.legend(loc="lower right")
    axes.set(
        xlabel="seconds since the start",
        ylabel="score of 100, by the wish in force",
        ylim=(0, 100),
        title=f"adaptd demo, seed {story.seed}: the served adapter on 200 prompts it never saw",
    )
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
