"""The learners that take part in an update through hooks. Torch-free; what they ask of a model goes through `Tools`.

The folder is the registry: a learner is one file here with a `LEARNER`. Its name there is its switch in `learners:` of
adaptd.yaml, and the name of its settings in `updates:` and in a task. To add one: write the file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from learners.hooks.contract import Expand, Schedule, Select
from storage.records.settings import Settings

_NOT_LEARNERS = frozenset({"contract"})
_OF_SELECTING = {"brought": "Examples that it brought into the batch."}
_OF_EXPANDING = {
    "made": "Made rows that were looked at, until enough of each parent were kept.",
    "kept": "Made rows that were kept.",
}


@dataclass(frozen=True, slots=True)
class Learner:
    """A switchable part of how an update learns: `doc` says in a sentence what it does when it is on.

    `figures` are the numbers that its hooks report, by name, with a sentence each; docs/learners.md lists them, and
    the metric `adaptd_learner_figure` has them under these names.
    """

    name: str
    doc: str
    Settings: type[Settings]
    select: Select | None = None
    expand: Expand | None = None
    schedule: Schedule | None = None
    figures: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_figures(self) -> Mapping[str, str]:
        """Its own, and what the worker counts of what came of them."""
        return {**self.figures, **(_OF_SELECTING if self.select else {}), **(_OF_EXPANDING if self.expand else {})}


@cache
def learners() -> Mapping[str, Learner]:
    """Every learner that has a hook, by name."""
    names = sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_LEARNERS)
    return {name: importlib.import_module(f"{__name__}.{name}").LEARNER for name in names}
