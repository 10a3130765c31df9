"""What a panel of the dashboard is made of: its kind, and the expressions that many panels share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

POINTS = "none"  # of 100
HERE = 'instance=~"$instance"'
TASK = f'{HERE}, task=~"$task"'

Kind = Literal["timeseries", "stat", "heatmap"]


@dataclass(frozen=True)
class Panel:
    """One panel; `queries` are (expression, legend). `unit` is one of Grafana's."""

    title: str
    description: str
    unit: str
    queries: Sequence[tuple[str, str]]
    kind: Kind = "timeseries"
    width: int = 8
    names: bool = False  # a stat that shows the legend instead of the value


def quantile(share: float, metric: str, by: str, window: str = "$__rate_interval", labels: str = TASK) -> str:
    """A quantile of a histogram over a window."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{labels}}}[{window}])))"


def mean(metric: str, by: str, window: str = "$__rate_interval", labels: str = TASK) -> str:
    """The mean of what a histogram saw in a window."""
    sums, counts = (f"sum by ({by}) (rate({metric}_{part}{{{labels}}}[{window}]))" for part in ("sum", "count"))
    return f"{sums} / {counts}"


OF_GATEWAY = 'task=~"$task"'  # a process with an instance of its own, which $instance does not list
PRIMARY = f"adaptd_adapter_score{{{TASK}, metric!~'golden|retention'}}"
CHAMPIONS = f"adaptd_champion_info{{{TASK}}}"
EVENTS = f"adaptd_events_total{{{HERE}}}"
