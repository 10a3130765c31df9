"""docs/reference/settings.md: every key of adaptd.yaml, from the Settings models."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from consumers.sources import source_types
from consumers.sources.protocol import SourceSettings
from daemon.config import Config, TaskSettings
from daemon.config_changes import is_live
from daemon.config_faults import NOT_IN_THIS_VERSION
from docs.generate.markdown import code, page, sentence, table
from docs.generate.setting_words import default_of, is_number, type_of, unit_of
from learners.validators import validators

INTRODUCTION = """
`adaptd.yaml` is the only truth; `adaptd init` writes one to start from. Over it lie variables
(`ADAPTD_BATCHING__MIN=30`) and flags (`--set batching.min=30`). A key that is not on this page is an error that names
its line. Every fault is said at once.

- Durations are a number and one of `ms s m h d w`, such as `10m`, up to 100 years; sizes a number and one of
  `B KiB MiB GiB TiB`. A number alone is seconds or bytes.
- Relative paths start at the folder of the file.
- *changes*: `live` is what a running daemon can take without a restart, `restart` what it reads when it starts. A key
  inside a section that needs a restart needs one too.
"""
SOURCES = "Each entry of the list has a `type`, which is the name of its file in `consumers/sources/`, and these keys:"
TASKS = """
One entry for each task that is learned; `'*'` stands for any other. Events of a task that is not here are stored and
not learned. An entry may be empty. Its sections hold only the keys that differ from the global ones.
"""
VALIDATORS = """
`validator: mermaid_erd` is short for `validator: {name: mermaid_erd, settings: {}}`. How each judges is in
[validators.md](../validators.md). Every file in `learners/validators/` is one; their settings are:
"""
ABSENT = """
The design has these keys, this version does not: they may stand in the file as `off`, `none`, `false` or `0`, and
anything else is refused with `not in this version`.
"""
HEADER = ("key", "type", "default", "unit", "changes", "what it does")


@dataclass(frozen=True)
class Key:
    """One setting, at its place in the file."""

    where: str
    field: FieldInfo
    live: bool

    @property
    def row(self) -> tuple[str, ...]:
        changes = "live" if self.live else "restart"
        words = sentence(self.field.description or "")
        return (code(self.where), type_of(self.field), default_of(self.field), unit_of(self.field), changes, words)

    @property
    def lacks(self) -> str:
        """What its author still has to say of it; empty where nothing is missing."""
        if not (self.field.description or "").strip():
            return "a `doc`: what it does"
        if is_number(self.field) and not unit_of(self.field):
            return "a `unit`: what its number counts"
        extra = self.field.json_schema_extra
        return "" if isinstance(extra, Mapping) and "live" in extra else "`setting(live=...)`"


def pages() -> Mapping[str, str]:
    top = [key for key in _keys(Config, "", True) if "." not in key.where and _model_of(key.field) is None]
    sections = [
        _section(name, field)
        for name, field in Config.model_fields.items()
        if name not in ("sources", "tasks") and _model_of(field) is not None
    ]
    absent = "\n".join(f"- `{'.'.join(path)}`" for path in sorted(NOT_IN_THIS_VERSION))
    parts = [
        f"## Outside of any section\n\n{table(HEADER, [key.row for key in top])}",
        *sections,
        *_sources(),
        *_tasks(),
        f"## Not in this version\n\n{ABSENT.strip()}\n\n{absent}",
    ]
    return {"reference/settings.md": page("Settings", INTRODUCTION, *parts)}


def all_keys() -> Iterator[Key]:
    """Every key that a file may hold, those of each kind of source and of each validator included."""
    yield from _keys(Config, "", True)
    for name, kind in source_types().items():
        yield from _keys(kind.settings, f"sources[{name}].", False)
    yield from _keys(TaskSettings, "tasks.<name>.", True)
    for name, module in validators().items():
        yield from _keys(module.Settings, f"tasks.<name>.validator[{name}].", True)


def _keys(model: type[BaseModel], under: str, live: bool) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        key = Key(f"{under}{field.alias or name}", field, live and is_live(field))
        inner = _model_of(field)
        if inner is None:
            yield key
        else:
            yield from _keys(inner, f"{key.where}.", key.live)


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a key opens, where it opens one."""
    parts = (field.annotation, *typing.get_args(field.annotation))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)


def _section(name: str, field: FieldInfo) -> str:
    model = _model_of(field)
    assert model is not None, f"{name} is no section: say in docs/generate/settings.py how it is documented"
    rows = [key.row for key in _keys(model, f"{name}.", is_live(field))]
    return f"## {name}\n\n{sentence(field.description or '')}\n\n{table(HEADER, rows)}"


def _sources() -> Iterator[str]:
    shared = set(SourceSettings.model_fields)
    rows = [key.row for key in _keys(SourceSettings, "", False)]
    what = sentence(Config.model_fields["sources"].description or "")
    yield f"## sources\n\n{what} {SOURCES}\n\n{table(HEADER, rows)}"
    for name, kind in source_types().items():
        own = [key.row for key in _keys(kind.settings, "", False) if key.where.split(".")[0] not in shared]
        what = sentence(kind.settings.model_fields["type"].description or "")
        how = sentence(kind.settings.__doc__ or "")
        yield f"### sources: {name}\n\n{what} {how}\n\n{table(HEADER, own) or 'It has no keys of its own.'}"


def _tasks() -> Iterator[str]:
    rows = [key.row for key in _keys(TaskSettings, "tasks.<name>.", True)]
    yield f"## tasks\n\n{TASKS.strip()}\n\n{table(HEADER, rows)}"
    yield f"### Settings of validators\n\n{VALIDATORS.strip()}"
    for name, module in validators().items():
        own = [key.row for key in _keys(module.Settings, "", True)]
        yield f"#### {name}\n\n{sentence(module.Settings.__doc__ or '')}\n\n{table(HEADER, own) or 'It has none.'}"
