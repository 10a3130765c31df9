"""Release target `directory`: champions as plain folders, for servers that adaptd does not speak to.

    <path>/<task>/erd-v3-ab12cd34/    adapter_config.json, adapter_model.safetensors
    <path>/<task>/current             a link to the champion's folder; absent while the champion is the base, @v0
    <path>/<task>/champion.json       which adapter that is, written last

Each change is one rename, so a reader sees the old champion or the new one, never half. Former champions stay, `keep`
of them, for readers that still hold them open. A task's folder is released into by one daemon at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from daemon.release.contract import Changes, ReleaseOutcome, Site, Target, Wanted
from daemon.release.names import ENGINE_NAME, engine_name, folder_name
from storage.errors import FolderLocked
from storage.lockfile import FileLock, lock_folder
from storage.records import AdaptdError
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

NAME = "directory"


class Settings(BaseSettings):
    """The `release.directory` section."""

    path: Path = setting(Path("released"), doc="folder for champions, relative to the config file", live=False)
    keep: int = setting(2, doc="former champions that stay beside the current one", unit="adapters", ge=0)


def open_target(settings: Settings, site: Site) -> Target:
    return DirectoryTarget(site.root / settings.path, settings.keep)


class DirectoryTarget:
    """Writes below `root`, and removes nothing there that it did not put there."""

    def __init__(self, root: Path, keep: int) -> None:
        self._root = root
        self._keep = keep
        self._changes = Changes(NAME)
        self._locks: dict[Path, FileLock] = {}

    def reconcile(self, wanted: Sequence[Wanted]) -> tuple[ReleaseOutcome, ...]:
        return tuple(self._release(one) for one in wanted if one.role == "champion")

    def close(self) -> None:
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _release(self, wanted: Wanted) -> ReleaseOutcome:
        place = self._root / folder_name(wanted.adapter.task)
        try:
            self._own(place)
            if not _is_current(place, wanted):
                self._publish(place, wanted)
        except OSError as error:
            why = f"{place} cannot be written ({error.strerror}); give adaptd the right to write there, or free space"
            return self._changes.outcome(wanted, "failed", why)
        except (FilesDiffer, FolderLocked) as error:
            return self._changes.outcome(wanted, "failed", str(error))
        return self._changes.outcome(wanted, "serving", f"{place}/current")

    def _own(self, place: Path) -> None:
        """Held until `close`: two daemons with a task of one name would take turns. Raises FolderLocked, OSError."""
        if place not in self._locks:
            place.mkdir(parents=True, exist_ok=True)
            self._locks[place] = lock_folder(place, "release.directory.path")

    def _publish(self, place: Path, wanted: Wanted) -> None:
        place.mkdir(parents=True, exist_ok=True)
        _sweep_halves(place)
        if wanted.path is None:
            (place / "current").unlink(missing_ok=True)
        else:
            folder = place / engine_name(wanted.adapter)
            if not folder.is_dir():
                _copy(wanted, folder)
            _point(place / "current", folder.name)
        _say_champion(place, wanted)
        self._prune(place)

    def _prune(self, place: Path) -> None:
        """Removes former champions beyond `keep`, oldest first."""
        current = os.readlink(place / "current") if (place / "current").is_symlink() else None
        former = [f for f in place.iterdir() if f.is_dir() and ENGINE_NAME.fullmatch(f.name) and f.name != current]
        former = [folder for folder in former if not folder.is_symlink()]
        former.sort(key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
        for folder in former[self._keep :]:
            shutil.rmtree(folder)


class FilesDiffer(AdaptdError):
    """The files at hand are not those of the registry.

    To do: restore the artifact folder from a backup, or roll back.

    Shows as: the release's reason in decisions and log.
    """


def _is_current(place: Path, wanted: Wanted) -> bool:
    if not (place / "champion.json").is_file() or (place / "champion.json").read_text() != _champion_json(wanted):
        return False
    link = place / "current"
    if wanted.path is None:
        return not link.is_symlink()
    return link.is_symlink() and os.readlink(link) == engine_name(wanted.adapter) and link.is_dir()


def _copy(wanted: Wanted, folder: Path) -> None:
    """Copies the adapter's files to a temporary name, checks them against the registry's hashes, and renames."""
    assert wanted.path is not None
    half = folder.with_name(f".{folder.name}.half")
    half.mkdir()
    for name, sha256 in wanted.adapter.files.items():
        (half / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wanted.path / name, half / name)
        if hashlib.sha256((half / name).read_bytes()).hexdigest() != sha256:
            raise FilesDiffer(f"{wanted.path / name} is not what was published; restore it, or roll back")
        _sync(half / name)
    half.replace(folder)
    _sync(folder.parent)


def _point(link: Path, to: str) -> None:
    half = link.with_name(".current.half")
    half.unlink(missing_ok=True)
    half.symlink_to(to)
    half.replace(link)


def _say_champion(place: Path, wanted: Wanted) -> None:
    half = place / ".champion.json.half"
    half.write_text(_champion_json(wanted))
    _sync(half)
    half.replace(place / "champion.json")


def _champion_json(wanted: Wanted) -> str:
    adapter = wanted.adapter
    folder = None if wanted.path is None else engine_name(adapter)
    said = {"adapter": adapter.name, "task": adapter.task, "base_hash": adapter.base_hash, "folder": folder}
    return json.dumps(said, indent=2) + "\n"


def _sweep_halves(place: Path) -> None:
    for half in place.glob(".*.half"):
        if half.is_dir() and not half.is_symlink():
            shutil.rmtree(half)
        else:
            half.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
