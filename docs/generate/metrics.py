"""docs/metrics.md, from the catalogue of metrics and the gateway's registry: `python -m docs.generate.metrics`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.gateway.measures import Measures
from daemon.metrics.catalogue import LABELS, SECTIONS, Metric

MADE = "<!-- Made from code by `python -m docs.generate.metrics`; edit the code, not this page. -->\n"
INTRODUCTION = """
# Metrics

The daemon answers `GET /metrics` on the API's port (8712), the gateway on its own (8713);
[prometheus.yml](../deploy/prometheus/prometheus.yml) scrapes both. The rules in
[alerts.yml](../deploy/prometheus/alerts.yml) and the dashboard in [adaptd.json](../deploy/grafana/adaptd.json) read
nothing else, and [runbook.md](runbook.md) says what to do when a rule fires.

Labels hold what an operator wrote or adaptd defines: never a user, an id or a text. A task that the config does not
declare is `other`. Only the champion and the newest ten versions of a task have a score here, so the page does not
grow with the number of updates; `adaptd adapters list` has them all.

Counters begin at 0 when the daemon starts, as Prometheus expects, except those that say "over the life of the store".
Scores, signals and shares are in [0, 1]; the dashboard shows points of 100.
"""
GATEWAY_INTRODUCTION = "Of the gateway, a process of its own."


def pages() -> Mapping[str, str]:
    """The one page, by its path below `docs/`."""
    parts = [MADE + INTRODUCTION]
    parts += [f"## {section}\n\n{_table(_rows(metrics))}" for section, metrics in SECTIONS.items()]
    parts.append(f"## Gateway\n\n{GATEWAY_INTRODUCTION}\n\n{_table(_gateway_rows())}")
    parts.append(f"## Labels\n\n{_label_table()}")
    return {"metrics.md": "\n".join(parts)}


def _rows(metrics: Iterable[Metric]) -> list[tuple[str, ...]]:
    return [
        (f"`{metric.full_name}`", metric.kind, _labels(metric.labels), metric.what, metric.why) for metric in metrics
    ]


def _gateway_rows() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for family in Measures().registry.collect():
        what, _, why = family.documentation.partition(". ")
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, _labels(Measures.LABELS.get(name, ())), f"{what}.", why))
    return rows


def _labels(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| metric | type | labels | what | why |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _label_table() -> str:
    rows = [f"| `{name}` | {values} |" for name, values in LABELS.items()]
    return "\n".join(["| label | holds |", "| --- | --- |", *rows]) + "\n"


def main() -> None:
    for name, text in pages().items():
        (Path(__file__).resolve().parents[1] / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
