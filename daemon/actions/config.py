"""`adaptd config check|show|schema`: is the file right, what is in force and who says so, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from daemon.config import layers_of
from daemon.config_changes import is_live
from daemon.config_layers import Layers, Where
from daemon.config_schema import config_schema
from daemon.reload import ConfigSource
from storage.records.settings import Settings

DEFAULT = "default"

__all__ = ["CheckedConfig", "ShownSetting", "check_config", "config_schema", "show_config"]


class CheckedConfig(BaseModel):
    """What a file that is in order holds."""

    path: str
    tasks: list[str]
    sources: list[str]


class ShownSetting(BaseModel):
    """One setting in force. `origin` is `default`, FILE:LINE, a variable or a flag; `live`: taken without a restart."""

    key: str
    value: Any
    origin: str
    live: bool


def check_config(source: ConfigSource) -> CheckedConfig:
    """Raises ConfigError with every fault, a line each."""
    config = source.load()
    names = [each.name for each in config.sources]
    return CheckedConfig(path=str(source.path), tasks=list(config.tasks), sources=names)


def show_config(source: ConfigSource) -> list[ShownSetting]:
    """Every setting, in the order of the documentation. Raises ConfigError."""
    config = source.load()
    layers = layers_of(source.path, overrides=source.overrides, environ=source.environ)
    return list(_shown(config, (), True, layers))


def _shown(value: Any, where: Where, live: bool, layers: Layers) -> Iterator[ShownSetting]:
    if isinstance(value, Settings):
        for name, field in type(value).model_fields.items():
            yield from _shown(getattr(value, name), (*where, name), live and is_live(field), layers)
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _shown(inner, (*where, name), live, layers)
    elif isinstance(value, list) and any(isinstance(inner, Settings) for inner in value):
        for number, inner in enumerate(value):
            yield from _shown(inner, (*where, number), live, layers)
    else:
        key, origin = ".".join(map(str, where)), layers.given_at(where) or DEFAULT
        yield ShownSetting(key=key, value=to_jsonable_python(value), origin=origin, live=live)
