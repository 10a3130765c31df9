"""What differs between two configs, and which of it a running daemon can take.

A setting says by `live` whether it can change without a restart, and a section that cannot change as a whole says so
for everything in it. Pure: two configs in, one config and the keys in words out.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from daemon.config_layers import Where
from storage.records.settings import Settings

SettingsT = TypeVar("SettingsT", bound=Settings)


def held_back(old: SettingsT, new: SettingsT) -> tuple[SettingsT, list[str]]:
    """`new` with what needs a restart as it is in `old`, and the keys of that."""
    waiting: list[Where] = []
    merged = _merged(old, new, (), waiting)
    return merged, [_dotted(where) for where in waiting]


def changes(old: Settings, new: Settings) -> list[str]:
    """The keys whose values differ, as deep as both have them."""
    return [_dotted(where) for where in _differing(old, new, ())]


def _merged(old: SettingsT, new: SettingsT, where: Where, waiting: list[Where]) -> SettingsT:
    kept: dict[str, Any] = {}
    for name, field in type(new).model_fields.items():
        before, after, place = getattr(old, name), getattr(new, name), (*where, name)
        if before == after:
            continue
        if not is_live(field):
            kept[name] = before
            waiting += _differing(before, after, place)
        elif isinstance(before, Settings) and type(before) is type(after):
            kept[name] = _merged(before, after, place, waiting)
        elif isinstance(after, dict):
            kept[name] = {key: _entry(before, key, value, place, waiting) for key, value in after.items()}
    return new.model_copy(update=kept)


def _entry(before: Any, key: str, after: Any, place: Where, waiting: list[Where]) -> Any:
    """One task of `tasks`: one that is new comes whole."""
    known = before.get(key) if isinstance(before, dict) else None
    both = isinstance(known, Settings) and isinstance(after, Settings)
    return _merged(known, after, (*place, key), waiting) if both else after


def _differing(old: Any, new: Any, where: Where) -> list[Where]:
    if old == new:
        return []
    if isinstance(old, Settings) and type(old) is type(new):
        names = list(type(old).model_fields)
        return [found for name in names for found in _differing(getattr(old, name), getattr(new, name), (*where, name))]
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys([*old, *new])
        return [found for key in keys for found in _differing(old.get(key), new.get(key), (*where, key))]
    return [where]


def is_live(field: FieldInfo) -> bool:
    """Whether a running daemon takes a change of this setting."""
    extra = field.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("live") is False)


def _dotted(where: Where) -> str:
    return ".".join(map(str, where))
