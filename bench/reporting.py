"""What every speed benchmark prints: a small table with targets, and under which circumstances it came about.

Figures of two runs, on a machine that others use as well, cannot be compared; ratios taken within one run can. So a
target is set on ratios where it can be, and a report names seed, commit, machine and how busy the machine was already.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. A `target` is reached at or above it, or, with `at_most`, at or below it."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        """None where there is nothing to reach."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    def cells(self) -> tuple[str, str, str, str]:
        """Name, value, target and verdict in words."""
        wanted = "" if self.target is None else f"{'at most' if self.at_most else 'at least'} {_number(self.target)}"
        verdict = {None: "", True: "reached", False: "missed"}[self.reached]
        return self.name, f"{_number(self.value)} {self.unit}".strip(), wanted, verdict


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one benchmark."""

    bench: str
    seed: int
    options: dict[str, Any]
    figures: tuple[Figure, ...]
    commit: str
    machine: str
    load_before: float  # processes wanting a core in the minute before, by the system's own count
    at: str

    def words(self) -> str:
        """The circumstances, in one line."""
        options = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return (
            f"seed {self.seed}, {options}; commit {self.commit}; {self.machine}; "
            f"load before the run {self.load_before:.1f}; {self.at}"
        )

    def markdown(self) -> str:
        """The table for docs/benchmarks.md."""
        lines = ["| figure | this run | target | stands |", "| --- | --- | --- | --- |"]
        lines += ["| " + " | ".join(figure.cells()) + " |" for figure in self.figures]
        return "\n".join([*lines, "", f"Run: {self.words()}."])

    def as_json(self) -> str:
        """Everything, for machines."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def show(self) -> None:
        """Print the table and the circumstances."""
        table = Table("figure", "this run", "target", "stands", title=f"bench/{self.bench}", title_justify="left")
        for figure in self.figures:
            table.add_row(*figure.cells(), style="red" if figure.reached is False else "")
        console = Console()
        console.print(table)
        console.print(self.words(), style="dim")


class Circumstances:
    """Taken before anything is measured, since a benchmark is a load itself."""

    def __init__(self) -> None:
        self.load_before = os.getloadavg()[0]

    def report(self, bench: str, seed: int, options: dict[str, Any], figures: Sequence[Figure]) -> Report:
        """The finished report."""
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return Report(bench, seed, options, tuple(figures), commit(), machine(), self.load_before, at)


def parser(description: str | None) -> argparse.ArgumentParser:
    """With the options that every benchmark has."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not for figures")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the report there as JSON")
    options.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return options


def finish(report: Report, chosen: argparse.Namespace) -> None:
    """Show the report, and write it where asked to."""
    report.show()
    if chosen.json is not None:
        chosen.json.write_text(report.as_json(), encoding="utf-8")
    if chosen.write:
        write_into(DOCS, report)


def write_into(page: Path, report: Report) -> None:
    """Replace the benchmark's table in a page; ValueError where the page has no place for it."""
    write_between(page, report.bench, report.markdown())


def write_between(page: Path, bench: str, text: str) -> None:
    """Replace what stands between a benchmark's marks in a page; ValueError where it has none."""
    begin, end = f"<!-- bench.{bench}: begin -->", f"<!-- bench.{bench}: end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no {begin} ... {end}; put both lines where the table belongs")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar for each part, on the error stream, so that the table can be piped."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        yield shown


def machine() -> str:
    """What it ran on, in words."""
    cores = len(os.sched_getaffinity(0))
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{cores} cores, {platform.machine()}, {versions}, niceness {os.nice(0)}"


def commit() -> str:
    """The commit that was measured, with a `+` where files differ from it; `unknown` outside a clone."""
    name = _git("rev-parse", "--short", "HEAD")
    return "unknown" if name is None else name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
