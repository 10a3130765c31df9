"""A trend in a word or a line, for `adaptd tasks` and `adaptd status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.actions.trends import p_in_words


def trend_in_words(trend: Mapping[str, Any]) -> str:
    """One word for a table: `rising`, `falling`, `steady`, or `-` where there is too little to say."""
    return "-" if trend["p"] is None else str(trend["direction"])


def trend_line(trends: Mapping[str, Any]) -> str:
    """Both trends of a task, scores in points of 100, rewards on their scale; empty for too little to say."""
    parts = []
    for name, scale, unit, of in (("scores", 100, " points", "champions"), ("rewards", 1, "", "signals")):
        trend = trends[name]
        if trend["p"] is not None:
            change = f"{scale * trend['change']:+.2g}{unit}"
            parts.append(f"{name} {trend['direction']} ({change} over {trend['count']} {of}, {p_in_words(trend['p'])})")
    return "; ".join(parts)
