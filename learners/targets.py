"""Whether a base has the modules that an adapter is meant for, by the names of its weights: no torch, nothing loaded.

Limits: it knows names and not kinds, so a norm that is named passes here and is refused in training.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from learners.errors import LearnerError

ALL_LINEAR = "all-linear"
_PREFIXES = ("", "model.", "transformer.")  # some checkpoints leave out what the loaded model is called by
_LONGEST_HEADER = 100 * 2**20  # the format's own limit
_NAMED = 8


class NoSuchModules(LearnerError):
    """The base has no module that `model.lora.target_modules` names, so there is nothing to train.

    To do: name modules that the message lists, or set `all-linear`.

    Shows as: a line of `adaptd doctor`.
    """


def check_targets(folder: Path, targets: str | list[str]) -> None:
    """Says nothing where the weights' names cannot be read. Raises NoSuchModules."""
    modules = _modules_of(folder)
    if not modules or (isinstance(targets, str) and targets.lower() == ALL_LINEAR):
        return
    if isinstance(targets, str):
        found = any(_matches(targets, prefix + name) for name in modules for prefix in _PREFIXES)
    else:
        found = any(name == each or name.endswith(f".{each}") for name in modules for each in targets)
    if not found:
        raise NoSuchModules(
            f"model.lora.target_modules: no module of {folder} is called {targets!r:.80}; a list names modules by the "
            f"end of their names, a text is a regular expression of the whole name; there are {_listed(modules)}"
        )


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error:
        return False


def _listed(modules: set[str]) -> str:
    """The last parts of the names, those of most layers first."""
    ends = [name.rpartition(".")[2] for name in modules]
    often = sorted(set(ends), key=lambda end: (-ends.count(end), end))
    return ", ".join(often[:_NAMED]) + (" and more" if len(often) > _NAMED else "")


def _modules_of(folder: Path) -> set[str]:
    try:
        names = [name for file in folder.glob("*.safetensors") for name in _weights_in(file)]
    except (OSError, ValueError):
        return set()  # training will say what is wrong with it
    return {name.removesuffix(".weight") for name in names if name.endswith(".weight")}


def _weights_in(file: Path) -> list[str]:
    """The names in a safetensors file: 8 bytes give the length of a JSON header, which has one key a tensor."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError("no safetensors header")
        header = json.loads(stream.read(length))
    return list(header) if isinstance(header, dict) else []
