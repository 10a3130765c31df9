"""Release: putting champions where they serve. Each target is one file here, found by its name.

A target's file has `Settings`, and `open_target(settings, site) -> Target`. `contract` holds what all targets share,
`names` how adapters are called outside, `routes` what gateways are told.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType, ModuleType

NOT_TARGETS = {"contract", "names", "routes"}


def targets() -> Mapping[str, ModuleType]:
    """Every release target by its name, which is its file's."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in NOT_TARGETS)
    return MappingProxyType({name: importlib.import_module(f"{__name__}.{name}") for name in names})
