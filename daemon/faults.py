"""An unexpected error in words that may be logged: what kind, and where in the code; its own text may quote a user."""

from __future__ import annotations

import traceback
from pathlib import Path


def fault_of(error: BaseException) -> str:
    """Such as `KeyError in joins.py:88 (_scalar)`."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno} ({last.name})"
