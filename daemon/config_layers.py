"""What adaptd.yaml, `ADAPTD_` variables and `--set` flags say, laid over each other, before anything is checked.

Remembers which key came from where, so that a fault can name the line, the variable or the flag that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from daemon.errors import ConfigError

ENV_PREFIX = "ADAPTD_"

Where = tuple[str | int, ...]


@dataclass
class Layers:
    """`raw` is everything laid over each other; `places` the file's marked tree, which knows lines."""

    path: Path
    raw: dict[str, Any]
    places: Any = None
    origins: dict[Where, str] = field(default_factory=dict)  # the keys that the file does not decide, and what does

    def lay_over(self, keys: Sequence[str], value: Any, origin: str) -> None:
        """Set one key. Raises ConfigError where the way to it is barred by a value."""
        inner = self.raw
        for key in keys[:-1]:
            if inner.get(key) is None:
                inner[key] = {}
            inner = inner[key]
            if not isinstance(inner, dict):
                raise ConfigError(f"{origin}: {key} has no keys of its own, so {'.'.join(keys)} cannot be set")
        inner[keys[-1]] = value
        self.origins[tuple(keys)] = origin

    def origin_of(self, where: Where, what: str = "") -> tuple[int, str]:
        """The line (0 for none) and the words that say where `where` was given.

        `what` is wrong with it: of a whole section, the keys that it names may come from flags or variables.
        """
        for count in range(len(where), 0, -1):
            if (origin := self.origins.get(where[:count])) is not None:
                return 0, origin
        if named := [origin for keys, origin in self.origins.items() if _is_named(keys, where, what)]:
            return 0, ", ".join(named)
        line = line_of(self.places, where)
        below = [origin for keys, origin in self.origins.items() if where and keys[: len(where)] == where]
        if not line and below:
            return 0, below[0]
        return line, f"{self.path}:{line}" if line else str(self.path)

    def given_at(self, where: Where) -> str:
        """Who decides this very key: `FILE:LINE`, a variable or a flag; empty where nobody does."""
        for count in range(len(where), 0, -1):
            if (origin := self.origins.get(where[:count])) is not None:
                return origin
        place = self.places
        for key in where:
            try:
                place = place[key]
            except (KeyError, IndexError, TypeError):
                return ""
        return f"{self.path}:{line_of(self.places, where)}"


def _is_named(keys: Where, section: Where, what: str) -> bool:
    inside = section and keys[: len(section)] == section
    return bool(inside) and re.search(rf"\b{re.escape(str(keys[-1]))}\b", what) is not None


def read_layers(
    path: Path,
    overrides: Sequence[str],
    environ: Mapping[str, str],
    sections: Collection[str],
    text: str | None = None,
) -> Layers:
    """File (or `text` in its place), then variables, then flags. Raises ConfigError for what cannot be read at all."""
    layers = _read(path, text)
    for name, value in sorted(environ.items()):
        keys = name[len(ENV_PREFIX) :].lower().split("__")
        if name.startswith(ENV_PREFIX) and keys[0] in sections:  # any other is another tool's business
            layers.lay_over(keys, _value(value, name), name)
    for override in overrides:
        key, equals, value = override.partition("=")
        origin = f"--set {override}"
        if not equals or not all(key.split(".")):
            raise ConfigError(f"{origin}: write it as key.path=value, such as batching.min=30")
        layers.lay_over(key.split("."), _value(value, origin), origin)
    return layers


def _value(text: str, origin: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    except YAMLError:
        raise ConfigError(f"{origin}: the value is not valid YAML; quote it if it is meant as text") from None


def _read(path: Path, text: str | None) -> Layers:
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; `adaptd init` writes one, -c names another") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    plain, places = _parse(path, text)
    if plain is not None and not isinstance(plain, dict):
        raise ConfigError(f"{path}: must hold keys such as `model:` and `tasks:`, not a {type(plain).__name__}")
    return Layers(path, plain or {}, places)


def _parse(path: Path, text: str) -> tuple[Any, Any]:
    try:
        return YAML(typ="safe").load(text), YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: not valid YAML: {what}; nothing was changed") from None
    except (YAMLError, ValueError) as error:  # ValueError: a timestamp that is none
        raise ConfigError(f"{path}: not valid YAML: {error}; nothing was changed") from None


def line_of(places: Any, where: Where) -> int:
    """The line of the deepest part of `where` that the file has; 0 where it has none."""
    line = 0
    for key in where:
        try:
            mark = places.lc.item(key) if isinstance(key, int) else places.lc.key(key)
            line, places = mark[0] + 1, places[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line
