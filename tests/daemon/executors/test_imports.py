"""The daemon holds executors, methods and jobs without loading torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = "torch transformers peft trl datasets accelerate tokenizers safetensors"
MODULES = (
    "daemon.executors.local",
    "learners.base",
    "learners.job_files",
    "learners.job_schemas",
    "learners.methods.noop",
    "learners.methods.sft",
    "learners.probes",
    "learners.rendering",
    "learners.replay",
)


def test_nothing_heavy_is_imported() -> None:
    code = f"import sys, {', '.join(MODULES)}; print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert found.stdout.strip() == "[]"
