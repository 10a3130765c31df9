"""Pages that are made from code, so that they cannot say something else: `make docs` writes them, a test compares.

The folder is the registry: every module here with `pages() -> Mapping[str, str]` is asked, and each of its entries is
a file below `docs/` with its text. To add a page, add a module. What is written by hand stays in `docs/` itself; the
texts that introduce a generated page stand in its module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]


def all_pages() -> Mapping[str, str]:
    """The text of every generated file by its path below `docs/`. Raises ValueError where two modules make one."""
    found: dict[str, str] = {}
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")):
        make = getattr(importlib.import_module(f"{__name__}.{module}"), "pages", None)
        for name, text in (make() if make else {}).items():
            if name in found:
                raise ValueError(f"docs/{name} is made twice; the second time by docs/generate/{module}.py")
            found[name] = text
    return found


def write_all(folder: Path = DOCS) -> list[str]:
    """Writes every page that is not what it should be; says which."""
    changed = []
    for name, text in all_pages().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed
