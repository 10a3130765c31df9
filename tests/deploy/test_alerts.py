"""The alerting rules, by the real promtool: each can fire, a healthy daemon raises none, and each says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from daemon.gateway.measures import Measures
from daemon.metrics.catalogue import METRICS
from tests.services.prometheus import Promtool

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
CASES = Path(__file__).with_name("alerts.test.yml")
METRIC = re.compile(r"\b(?:adaptd_\w+|up)\b")


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    return [rule for group in read(RULES)["groups"] for rule in group["rules"]]


def known_metrics() -> set[str]:
    """Every name that a page of ours may hold, and what Prometheus adds itself."""
    names = {"up"}
    for metric in METRICS:
        names |= {metric.full_name, *(f"{metric.full_name}_{part}" for part in ("bucket", "count", "sum"))}
    for family in Measures().registry.collect():
        names |= {f"{family.name}{part}" for part in ("", "_total", "_bucket", "_count", "_sum")}
    return names


def headings(page: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    found = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_promtool_reads_rules_and_scrape_config(promtool: Promtool) -> None:
    for arguments in (("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml")):
        checked = promtool(*arguments, cwd=RULES.parent)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_every_alert_fires_when_it_should_and_a_healthy_daemon_raises_none(promtool: Promtool) -> None:
    tested = promtool("test", "rules", CASES, cwd=CASES.parent)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_no_alert_is_without_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    checks = [check for case in read(CASES)["tests"] for check in case["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == names
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == names


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_happened_and_where_to_read_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in headings(ROOT / page), f"{page} has no section {anchor}"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_reads_metrics_that_there_are(rule: dict[str, Any]) -> None:
    assert set(METRIC.findall(rule["expr"])) <= known_metrics()


def test_every_section_of_the_runbook_belongs_to_an_alert() -> None:
    named = {rule["annotations"]["runbook"].partition("#")[2] for rule in rules()}
    assert headings(ROOT / "docs" / "runbook.md") == named
