"""The dashboard as a file: made from code, whole, and over metrics that there are. `test_watching` asks it for data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bench.write_dashboard import TARGET, dashboard
from daemon.metrics.catalogue import METRICS
from tests.deploy.test_alerts import METRIC, known_metrics


def panels() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    return found


def test_the_dashboard_on_disk_is_made_from_the_code() -> None:
    assert json.loads(TARGET.read_text(encoding="utf-8")) == dashboard(), "run: python -m bench.write_dashboard"


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: Mapping[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert set(METRIC.findall(target["expr"])) <= known_metrics()


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    placed = dashboard()["panels"]
    assert len({panel["id"] for panel in placed}) == len(placed)
    taken: set[tuple[int, int]] = set()
    for panel in placed:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_metric_of_the_daemon_is_on_the_dashboard_or_is_only_a_label() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    missing = [metric.full_name for metric in METRICS if metric.full_name not in shown]
    assert missing == ["adaptd_batch_ripe", "adaptd_build_info", "adaptd_config_reloads_total"]
