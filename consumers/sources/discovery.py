"""Which kinds of source there are: the files of this folder, found by name.

A kind is a module or package with `Settings` (whose `type` is the file's name) and, where it polls, `open(settings,
clock) -> Source`. Its client library is imported by `open`, so that finding all kinds stays cheap.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consumers.sources.errors import SourceMisconfigured
from consumers.sources.protocol import Clock, Source, SourceSettings

_NOT_KINDS = frozenset({"discovery", "errors", "protocol"})


@dataclass(frozen=True, slots=True)
class SourceType:
    """One kind. `open` is None for a kind that nobody polls (HTTP: its events come through the API)."""

    name: str
    settings: type[SourceSettings]
    open: Callable[[Any, Clock], Source] | None


def source_types() -> Mapping[str, SourceType]:
    """Every kind in this folder, by name. Raises SourceMisconfigured for a file that is not a kind."""
    folder = importlib.import_module("consumers.sources").__path__
    names = sorted(found.name for found in pkgutil.iter_modules(folder) if found.name not in _NOT_KINDS)
    return {name: _source_type(name) for name in names}


def _source_type(name: str) -> SourceType:
    module = importlib.import_module(f"consumers.sources.{name}")
    settings = getattr(module, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, SourceSettings)):
        raise SourceMisconfigured(f"consumers/sources/{name} has no `Settings` derived from SourceSettings: add one")
    if settings.model_fields["type"].default != name:
        raise SourceMisconfigured(f"consumers/sources/{name}: `type` in its Settings must default to {name!r}")
    return SourceType(name, settings, getattr(module, "open", None))
