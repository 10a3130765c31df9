"""`adaptd learners list|enable|disable`: which parts of an update are on for which task, and turning them in the file.

adaptd.yaml is the only truth, so a switch is an edit of it; a running daemon watches the file and follows. A switch is
a bool, or a choice in which `off` is off and `auto` is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from daemon.config import ANY_TASK, Config, LearnerSwitches, layers_of
from daemon.config_edit import lines_for, with_key, write_over
from daemon.config_layers import Layers
from daemon.errors import ConfigError, Denied, NotFound
from daemon.reload import ConfigSource

OFF = (False, "off")
DEFAULT = "default"


class LearnerView(BaseModel):
    """One learner of one task, as the file with its variables and flags has it."""

    task: str
    learner: str
    on: bool
    value: bool | str
    origin: str


@dataclass(frozen=True)
class Switched:
    """What became of a switch. `lines` are to be added by hand where the file could not be written, and `why`."""

    key: str
    value: bool | str
    changed: bool
    notes: tuple[str, ...] = ()
    lines: str = ""
    why: str = ""


def list_learners(source: ConfigSource, task: str | None = None) -> list[LearnerView]:
    """By task, in the order of the file. Raises ConfigError; NotFound for a task that is not there."""
    config, layers = source.load(), _layers(source)
    names = list(config.tasks) if task is None else [_declared(config, task)]
    return [_view(config, layers, name, learner) for name in names for learner in LearnerSwitches.model_fields]


def switch_learner(source: ConfigSource, learner: str, on: bool, task: str | None) -> Switched:
    """Turns a learner on or off in the file, for one task or, without `task`, for all that do not say otherwise.

    Raises NotFound for a learner or task that is not there, ConfigError where the file is broken already, Denied where
    the edit would change more than was asked.
    """
    _known(learner)
    config = _of_the_file(source)
    keys = ["learners", learner] if task is None else ["tasks", _declared(config, task), "learners", learner]
    key, now = ".".join(keys), _now(config, learner, task)
    notes = _overlaid(source, keys) + _others(config, learner, on, task)
    if (now not in OFF) is on:
        return Switched(key, now, changed=False, notes=notes)
    value = _value(learner, on)
    before = source.path.read_text(encoding="utf-8")
    after = with_key(before, keys, value)
    _check(source, config, after, keys)
    try:
        write_over(source.path, before, after)
    except OSError as error:
        return Switched(key, value, changed=False, lines=lines_for(keys, value), why=str(error.strerror or error))
    return Switched(key, value, changed=True, notes=notes)


def _layers(source: ConfigSource) -> Layers:
    return layers_of(source.path, overrides=source.overrides, environ=source.environ)


def _view(config: Config, layers: Layers, task: str, learner: str) -> LearnerView:
    own = layers.given_at(("tasks", task, "learners", learner))
    value = _now(config, learner, task)
    origin = own or layers.given_at(("learners", learner)) or DEFAULT
    return LearnerView(task=task, learner=learner, on=value not in OFF, value=value, origin=origin)


def _now(config: Config, learner: str, task: str | None) -> bool | str:
    in_force = config.task(task) if task is not None else None
    found: bool | str = getattr(in_force.learners if in_force else config.learners, learner)
    return found


def _known(learner: str) -> None:
    if learner not in LearnerSwitches.model_fields:
        known = ", ".join(LearnerSwitches.model_fields)
        raise NotFound(f"there is no learner {learner} in this version; there are {known}")


def _declared(config: Config, task: str) -> str:
    if task in config.tasks:
        return task
    if ANY_TASK in config.tasks:
        raise NotFound(
            f"{task} has no section of its own and is learned under `*`: say --task '*', or add tasks.{task}"
        )
    known = ", ".join(config.tasks) or "none"
    raise NotFound(f"there is no task {task} in the file; there are {known}")


def _value(learner: str, on: bool) -> bool | str:
    if "off" in get_args(LearnerSwitches.model_fields[learner].annotation):
        return "auto" if on else "off"
    return on


def _of_the_file(source: ConfigSource) -> Config:
    """Without variables and flags, unless the file is only whole with them. Raises ConfigError."""
    try:
        return ConfigSource(source.path, environ={}).load()
    except ConfigError:
        return source.load()


def _check(source: ConfigSource, before: Config, text: str, keys: list[str]) -> None:
    """Raises ConfigError where the text is no config, Denied where more than the key would change."""
    try:
        found = ConfigSource(source.path, environ={}).load(text)
    except ConfigError:
        found = source.load(text)
    if _with(before.model_dump(), keys, found) != found.model_dump():
        raise Denied(f"{source.path}: {'.'.join(keys)} cannot be set alone (is it under an anchor?); edit it by hand")


def _with(whole: dict[str, Any], keys: list[str], found: Config) -> dict[str, Any]:
    inner, new = whole, found.model_dump()
    for key in keys[:-1]:
        inner, new = inner.setdefault(key, {}), new[key]
    inner[keys[-1]] = new[keys[-1]]
    return whole


def _overlaid(source: ConfigSource, keys: list[str]) -> tuple[str, ...]:
    """Variables and flags that decide the key whatever the file says."""
    origins = _layers(source).origins
    over = [said for where, said in origins.items() if tuple(keys[: len(where)]) == where]
    return tuple(f"{said} lies over the file, and stays in force where it is set" for said in over)


def _others(config: Config, learner: str, on: bool, task: str | None) -> tuple[str, ...]:
    """Tasks that a change for all does not reach."""
    if task is not None:
        return ()
    own: Mapping[str, Any] = {name: settings.learners for name, settings in config.tasks.items()}
    other = [name for name, keys in own.items() if learner in keys and (keys[learner] not in OFF) is not on]
    return tuple(f"task {name} says otherwise for itself (tasks.{name}.learners.{learner})" for name in other)
