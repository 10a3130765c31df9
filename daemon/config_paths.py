"""Relative paths of adaptd.yaml made whole, wherever in it they stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic.fields import FieldInfo

from learners.validators import validator
from storage.records import AdaptdError
from storage.records.settings import Settings

if TYPE_CHECKING:
    from daemon.config import Config, TaskSettings

SettingsT = TypeVar("SettingsT", bound=Settings)


def with_absolute_paths(config: Config, folder: Path) -> Config:
    """Relative paths start at the file's folder, so that the daemon may be started from anywhere."""
    storage = config.storage
    url = storage.url
    if url.startswith("sqlite:///") and not url.startswith(("sqlite:////", "sqlite:///:memory:")):
        url = f"sqlite:///{_placed(url.removeprefix('sqlite:///'), folder)}"
    base, embeddings = (_model_in(name, folder) for name in (config.model.base, config.model.embeddings))
    artifacts = str(_placed(storage.artifacts, folder))
    return config.model_copy(
        update={
            "storage": storage.model_copy(update={"url": url, "artifacts": artifacts}),
            "model": config.model.model_copy(update={"base": base, "embeddings": embeddings}),
            "release": _paths_in(config.release, folder),
            "gate": _paths_in(config.gate, folder),
            "sources": [_paths_in(source, folder) for source in config.sources],
            "tasks": {name: _task_in(own, folder) for name, own in config.tasks.items()},
        }
    )


def _model_in(name: str, folder: Path) -> str:
    """A folder as a whole path; any other name is Hugging Face's."""
    meant = (folder / name).exists() or name.startswith((".", "/", "~"))
    return str(_placed(name, folder).resolve()) if meant else name


def _placed(path: str | Path, folder: Path) -> Path:
    return folder / Path(path).expanduser()


def _paths_in(settings: SettingsT, folder: Path) -> SettingsT:
    """Every path of some settings, and of those inside them."""
    changed: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            changed[name] = _placed(value, folder)
        elif isinstance(value, Settings):
            changed[name] = _paths_in(value, folder)
    return settings.model_copy(update=changed)


def _task_in(own: TaskSettings, folder: Path) -> TaskSettings:
    """A validator's settings are plain values, which a worker elsewhere reads again: its paths become whole here.

    So are those of its gate, which are laid over the global ones later.
    """
    own = own.model_copy(update={"gate": {key: _set_in(key, value, folder) for key, value in own.gate.items()}})
    if isinstance(judge := own.gate.get("judge"), dict) and isinstance(judge.get("key_file"), str):
        whole = {**judge, "key_file": str(_placed(judge["key_file"], folder))}
        own = own.model_copy(update={"gate": {**own.gate, "judge": whole}})
    if own.validator is None or not own.validator.settings:
        return own
    try:
        fields = validator(own.validator.name).Settings.model_fields
    except AdaptdError:
        return own  # said as a fault where its validator is opened
    placed = {
        key: str(_placed(value, folder)) if isinstance(value, str) and _is_path(fields.get(key)) else value
        for key, value in own.validator.settings.items()
    }
    return own.model_copy(update={"validator": own.validator.model_copy(update={"settings": placed})})


def _set_in(key: str, value: Any, folder: Path) -> Any:
    """A golden file or retention set that is a path starts at the file's folder too."""
    named = key in ("golden", "retention") and isinstance(value, str) and value not in ("general", "off")
    return str(_placed(value, folder)) if named else value


def _is_path(field: FieldInfo | None) -> bool:
    return field is not None and (field.annotation is Path or Path in get_args(field.annotation))
