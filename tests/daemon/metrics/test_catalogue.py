"""Every metric is declared, has its reason, and is in the docs; the page holds nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.gateway.measures import Measures
from daemon.metrics.catalogue import LABELS, METRICS, Metric
from docs.generate.metrics import pages
from learners.methods import methods
from tests.daemon.daemons import app_in_thread, write_yaml

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_says_what_it_counts_and_what_for(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
    assert metric.what.endswith(".")
    assert metric.why.endswith((".", "?"))
    assert set(metric.labels) <= set(LABELS)
    assert bool(metric.buckets) == (metric.kind == "histogram")


def test_labels_are_of_closed_lists() -> None:
    assert {label for metric in METRICS for label in metric.labels} <= set(LABELS)
    assert not {"user", "user_id", "event_id", "interaction_id", "app"} & set(LABELS)


def test_the_docs_on_disk_are_made_from_the_code() -> None:
    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, "run: python -m docs.generate.metrics"


def test_the_label_method_names_every_method_that_trains() -> None:
    trained = {name for name in methods() if name != "noop"}
    assert set(re.findall(r"`(\w+)`", LABELS["method"])) == trained


def test_a_gateways_metric_says_what_it_counts_and_what_for() -> None:
    for family in Measures().registry.collect():
        assert len(re.findall(r"[.?](?: |$)", family.documentation)) == 2, family.name


def test_the_page_holds_every_declared_metric_and_no_other(tmp_path: Path) -> None:
    with app_in_thread(write_yaml(tmp_path, {})) as (_, client):
        families = text_string_to_metric_families(client.get("/metrics").text)
        found = {(f"{each.name}_total" if each.type == "counter" else each.name, each.type) for each in families}
    assert found == {(metric.full_name, metric.kind) for metric in METRICS}
