"""Writes deploy/grafana/adaptd.json, the dashboard over adaptd's metrics: `python -m bench.write_dashboard`.

A dashboard is a thousand lines of JSON of which few matter; those stand in `dashboard_rows`. Scores are in [0, 1]
everywhere else, and in points of 100 for people: here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.dashboard_panels import POINTS, TASK, Panel
from bench.dashboard_rows import ROWS

TARGET = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "adaptd.json"
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """The whole dashboard, in Grafana's JSON."""
    return {
        "uid": "adaptd",
        "title": "adaptd",
        "description": "Feedback in, better adapters out. What each metric means: docs/metrics.md.",
        "tags": ["adaptd"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [_datasource_variable(), _variable("instance", "ready"), _variable("task", "batch_have")]
        },
        "annotations": {"list": [_promotions()]},
        "panels": _panels(),
    }


def _panels() -> list[dict[str, Any]]:
    """Every row with its panels, from left to right, top to bottom."""
    placed: list[dict[str, Any]] = []
    top = 0
    for title, panels in ROWS.items():
        row = {"type": "row", "title": title, "collapsed": False, "panels": []}
        placed.append({**row, "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1}})
        top, left = top + 1, 0
        height = 5 if title == "At a glance" else 7
        for panel in panels:
            if left + panel.width > COLUMNS:
                top, left = top + height, 0
            placed.append(_panel(panel) | {"gridPos": {"x": left, "y": top, "w": panel.width, "h": height}})
            left += panel.width
        top += height
    return [panel | {"id": number} for number, panel in enumerate(placed, 1)]


def _panel(panel: Panel) -> dict[str, Any]:
    heat = panel.kind == "heatmap"
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": expression,
            "legendFormat": legend,
            "format": "heatmap" if heat else "time_series",
        }
        for index, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, **_limits(panel)}, "overrides": []},
        "options": _options(panel),
    }


def _limits(panel: Panel) -> dict[str, Any]:
    return {"min": 0, "max": 100} if panel.unit == POINTS and "oints of 100" in panel.description else {}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        text = "name" if panel.names else "auto"
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": text, "colorMode": "none"}
    if panel.kind == "heatmap":
        return {"calculate": False, "yAxis": {"unit": "none"}, "color": {"scheme": "Blues", "mode": "scheme"}}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}


def _datasource_variable() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _variable(name: str, metric: str) -> dict[str, Any]:
    """All values of a label, of which several may be chosen."""
    query = f"label_values(adaptd_{metric}, {name})"
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _promotions() -> dict[str, Any]:
    """A line wherever a champion changed."""
    return {
        "name": "promotions",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "green",
        "expr": f"changes(adaptd_champion_since_timestamp_seconds{{{TASK}}}[1m]) > 0",
        "titleFormat": "new champion of {{task}}",
    }


def main() -> None:
    TARGET.write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
