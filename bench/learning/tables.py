"""How the page's tables are written: Markdown, means with their intervals, and what each rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.learning.claims import Results
from bench.learning.statistics import Estimate

NOT_RUN = "Not run yet."
Rows = list[tuple[str, ...]]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; `NOT_RUN` without rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return NOT_RUN
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def points(found: Estimate, digits: int = 1) -> str:
    """A mean in points of 100 with half its interval; one seed has none."""
    if found.count == 1:
        return f"{100 * found.mean:.{digits}f} (1 seed)"
    return f"{100 * found.mean:.{digits}f} ± {100 * (found.high - found.mean):.{digits}f}"


def gain(found: Estimate | None) -> str:
    """A difference with its sign."""
    if found is None:
        return ""
    half = "(1 seed)" if found.count == 1 else f"± {100 * (found.high - found.mean):.1f}"
    return f"{100 * found.mean:+.1f} {half}"


def about(found: Sequence[Mapping[str, Any]]) -> str:
    """Under a table: seeds, commits and machines of what is in it."""
    if not found:
        return ""
    seeds = sorted({seed_of(one) for one in found})
    commits, machines = sorted({one["commit"] for one in found}), sorted({one["machine"] for one in found})
    return f"\n\n{len(found)} cells, seeds {_ranges(seeds)}; commit {', '.join(commits)}; {'; '.join(machines)}."


def seed_of(one: Mapping[str, Any]) -> int:
    """The last of its name."""
    return int(one["cell"].rpartition("/")[2])


def _ranges(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 2 else " and ".join(map(str, seeds))


def of(results: Results, *prefixes: str) -> list[Mapping[str, Any]]:
    """Those whose names begin so."""
    return [one for one in results if one["cell"].startswith(prefixes)]
