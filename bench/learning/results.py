"""The results that are committed: one compact line a cell, in `results.json`.

Cells are kept whole where they were run; what the report needs of them is gathered here, merged over what was
committed before, so that a report can be made on a machine that ran only some of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.learning.cells import read_cells
from learners.job_files import write_whole

COMPACT = Path(__file__).parent / "results.json"
_NUMBERS = (
    "cpu_s",
    "seconds",
    "labels",
    "steps",
    "hard_share",
    "noisy_share",
    "rare_share",
    "lowest",
    "search_cpu_s",
    "trials",
)
_LISTS = (
    "curve",
    "scores",
    "verdicts",
    "hostile_share",
    "read",
    "failed",
    "phases",
    "adopted",
    "tuned",
    "tuned_because",
)


def gather(folder: Path, compact: Path = COMPACT) -> list[dict[str, Any]]:
    """What was committed and what is in the folder, the latter where both have a cell; writes and returns it."""
    kept = {one["cell"]: one for one in read_compact(compact)}
    if folder.exists():
        kept |= {one["cell"]: one for one in map(_compact, read_cells(folder))}
    found = [kept[name] for name in sorted(kept)]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in found)
    write_whole(compact, f"[\n{lines}\n]\n".encode())
    return found


def read_compact(path: Path = COMPACT) -> list[dict[str, Any]]:
    """The committed results; none where there is no file."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def _compact(one: dict[str, Any]) -> dict[str, Any]:
    point = one["point"]
    name = f"{one['kind']}/{one['task']}-{one['base']}/{point['name']}/{one['setting']}/{one['seed']}"
    return {
        "cell": name,
        "metrics": _rounded(one["metrics"]),
        "base_metrics": _rounded(one["base_metrics"]),
        **{key: one[key] for key in (*_NUMBERS, *_LISTS) if key in one},
        **{key: one[key] for key in ("commit", "machine", "base_hash")},
    }


def _rounded(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}
