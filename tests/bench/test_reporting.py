"""What a benchmark prints: verdicts against targets, and the place in the docs that it may write to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.reporting import DOCS, Circumstances, Figure, Report, write_into

FIGURES = [
    Figure("rate", 12345.6, "/s"),
    Figure("ratio", 9.5, "x", target=10),
    Figure("memory", 149.0, "MB", target=150, at_most=True),
]


@pytest.fixture
def report() -> Report:
    return Circumstances().report("start", 7, {"starts": 3}, FIGURES)


def test_a_figure_is_held_against_its_target() -> None:
    assert [figure.reached for figure in FIGURES] == [None, False, True]
    assert FIGURES[0].cells() == ("rate", "12,346 /s", "", "")
    assert FIGURES[1].cells() == ("ratio", "9.5 x", "at least 10", "missed")
    assert FIGURES[2].cells() == ("memory", "149.0 MB", "at most 150.0", "reached")


def test_a_report_says_under_which_circumstances_it_came_about(report: Report) -> None:
    words = report.words()
    for part in ("seed 7", "starts 3", "commit ", "cores", "Python 3.", "load before the run"):
        assert part in words
    assert json.loads(report.as_json())["figures"][1]["target"] == 10


def test_the_table_replaces_the_one_before_and_nothing_else(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- bench.start: begin -->\nold\n<!-- bench.start: end -->\nbelow\n")
    write_into(page, report)
    text = page.read_text()
    assert text.startswith("above\n")
    assert text.endswith("\nbelow\n")
    assert "old" not in text
    assert report.markdown() in text


def test_a_page_without_a_place_for_it_is_left_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(ValueError, match=r"bench\.start: begin"):
        write_into(page, report)
    assert page.read_text() == "nothing here\n"


@pytest.mark.parametrize("bench", ["intake", "update", "start"])
def test_the_docs_have_a_table_of_each_benchmark_with_its_run(bench: str) -> None:
    begin, end = f"<!-- bench.{bench}: begin -->", f"<!-- bench.{bench}: end -->"
    table = DOCS.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    assert "| figure | this run | target | stands |" in table
    assert "Run: seed " in table
    assert "; commit " in table
