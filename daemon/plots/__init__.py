"""Pictures of the performance tracker: from a history (`daemon.actions.history`) to a PNG or SVG file.

matplotlib is not among what a daemon needs, so it loads here only when something is drawn. The same history gives the
same bytes.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from daemon.actions.history import TaskHistory, UpdateHistory
from daemon.errors import ConfigError, UsageError

ENDINGS = (".png", ".svg")


class PlotsNotInstalled(ConfigError):
    """Drawing needs matplotlib, which is not installed.

    To do: `pip install 'adaptd[plot]'` where the command runs; the daemon needs none of it.

    Shows as: its exit code alone.
    """


def check_plots(path: Path) -> None:
    """Before anything is asked for. Raises PlotsNotInstalled, and UsageError where that file cannot be a picture."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path}: a picture ends in {' or '.join(ENDINGS)}; choose one with --output")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}; make it, or choose another with --output")
    if importlib.util.find_spec("matplotlib") is None:
        raise PlotsNotInstalled("drawing needs matplotlib, which is not installed: pip install 'adaptd[plot]'")


def draw_task(history: TaskHistory, path: Path) -> None:
    """Scores, gains, rewards and batches of a task, over its versions and updates. Raises as `check_plots`."""
    _save(importlib.import_module("daemon.plots.task").draw(history), path)


def draw_update(history: UpdateHistory, path: Path) -> None:
    """Losses, rewards and verdict of one update. Raises as `check_plots`."""
    _save(importlib.import_module("daemon.plots.update").draw(history), path)


def _save(figure: object, path: Path) -> None:
    check_plots(path)
    try:
        importlib.import_module("daemon.plots.style").save(figure, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); choose another with --output") from None
