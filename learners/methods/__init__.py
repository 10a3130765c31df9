"""What the daemon must know of each method: its settings and which rows it learns from. Torch-free.

The folder is the registry: a method is one file here with a `METHOD`, found by its name, and a module of the same
name in `learners.training` that does the work in a worker process. To add one: write both files.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.errors import LearnerError
from learners.plan import Steps
from storage.records import Row
from storage.records.settings import Settings, setting


class UnknownMethod(LearnerError):
    """No file in `learners/methods/` has that name.

    To do: choose one of those that the text names.

    Shows as: the reason of a failed update.
    """


class OptimizerSettings(Settings):
    """Settings of a method that trains by AdamW; each has defaults of its own for the first three."""

    learning_rate: float
    batch_size: int
    steps: Steps
    warmup: float = setting(
        0.1, doc="Share of the steps in which the learning rate rises to its peak.", unit="share", ge=0, lt=1
    )
    weight_decay: float = setting(0.0, doc="Weight decay of AdamW.", unit="rate", ge=0)
    max_grad_norm: float = setting(1.0, doc="Gradients are clipped to this norm.", unit="norm", gt=0)
    patience: int = setting(
        2, doc="Training stops after so many readings of the dev fold without a better one.", unit="readings", ge=1
    )


def _lacks_nothing(_rows: Sequence[Row]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Method:
    """A loss, as the daemon sees it. `takes` says whether it learns from a row under its settings, a `Settings`.

    `alone`: it makes the whole adapter by itself, with no other method before or after it. `lacks` says in words what
    rows that it takes one by one want before it can learn from them together; empty for nothing. `prompt_once`: no
    optimizer step may hold two rows of one prompt.
    """

    name: str
    Settings: type[Settings]
    takes: Callable[[Row, Any], bool]
    alone: bool = False
    lacks: Callable[[Sequence[Row]], str] = _lacks_nothing
    prompt_once: bool = False


def methods() -> Mapping[str, Method]:
    """Every method, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").METHOD for name in names}


def find_method(name: str) -> Method:
    """Raises UnknownMethod, naming those that exist."""
    found = methods()
    if name not in found:
        raise UnknownMethod(f"There is no method {name!r}; there are {', '.join(found)}.")
    return found[name]
