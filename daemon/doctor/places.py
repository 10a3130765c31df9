"""The store, the artifacts folder, and the room on their disks."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from daemon.config import Config
from daemon.doctor.checks import EXIT_STORE, Check, fail, ok, warn
from storage import migrations
from storage.dialects import sqlite
from storage.errors import StorageError
from storage.store import Store

LITTLE_BYTES = 2 * 2**30  # below this, soon: an update writes its rows, its log and an adapter
TOO_LITTLE_BYTES = 100 * 2**20


def check_places(config: Config) -> list[Check]:
    store, artifacts = sqlite.path_of(config.storage.url), Path(config.storage.artifacts)
    found = [_sqlite(), _store(config.storage.url, store), _artifacts(artifacts), *_released(config)]
    return found + [_disk(folder) for folder in dict.fromkeys([nearest(store.parent), nearest(artifacts)])]


def _sqlite() -> Check:
    warning = sqlite.wal_reset_warning()
    return warn("sqlite", warning) if warning else ok("sqlite", "without the WAL-reset fault")


def _store(url: str, path: Path) -> Check:
    if not path.exists():
        if why := why_unwritable(path.parent):
            return fail("store", f"{path} cannot be made: {why}; correct storage.url, or the rights", EXIT_STORE)
        return ok("store", f"{path} is not there yet; the daemon makes it")
    try:
        with Store.open_readonly(url):
            pass
    except StorageError as error:
        return fail("store", str(error), EXIT_STORE)
    if why := why_unwritable(path.parent):
        return fail("store", f"{path.parent} cannot be written: {why}; correct the folder's rights", EXIT_STORE)
    return ok("store", f"{path}, schema {migrations.HEAD}")


def _artifacts(folder: Path) -> Check:
    if why := why_unwritable(folder):
        return fail("artifacts", f"{folder} cannot be written: {why}; correct storage.artifacts or the folder's rights")
    return ok("artifacts", f"{folder}" + ("" if folder.is_dir() else " is not there yet; the daemon makes it"))


def _released(config: Config) -> list[Check]:
    folder = config.release.directory.path
    if "directory" not in config.release.targets:
        return []
    if why := why_unwritable(folder):
        remedy = "correct release.directory.path or the folder's rights"
        return [fail("release directory", f"{folder} cannot be written: {why}; {remedy}")]
    return [
        ok("release directory", f"{folder}" + ("" if folder.is_dir() else " is not there yet; the daemon makes it"))
    ]


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    words = f"{free / 2**30:.1f} GiB free under {folder}"
    if free < TOO_LITTLE_BYTES:
        return fail("disk", f"{words}: too little to write an update; make room", EXIT_STORE)
    return warn("disk", f"{words}: make room before it is full") if free < LITTLE_BYTES else ok("disk", words)


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def why_unwritable(folder: Path) -> str:
    """Empty where a file can be made in the folder, or the folder itself in the nearest above it."""
    place = nearest(folder)
    if not place.is_dir():
        return f"{place} is a file"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
