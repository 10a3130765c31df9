"""Locks beside what only one process may write: the store, the artifacts folder, a folder of releases.

An advisory `flock` on a file: the kernel drops it when the process dies, however it dies. The file names the holder
for the message only, and stays behind when released (removing it would let two hold locks on two files). It does not
work across machines; a store on a network disk is not supported.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from collections.abc import Callable
from pathlib import Path

from storage.errors import FolderLocked, StorageError, StoreLocked, StoreUnavailable

FOLDER_LOCK = ".lock"

_held: weakref.WeakSet[FileLock] = weakref.WeakSet()
_watching_forks = False


class FileLock:
    """Held from construction until `release`. Raises `taken(holder)`; OSError where the file cannot be written."""

    def __init__(self, path: Path, taken: Callable[[str], StorageError]) -> None:
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(path)
            self._file.close()
            raise taken(holder) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()
        _forget_in_children(self)

    def release(self) -> None:
        """Let the next one in; a second call does nothing."""
        with contextlib.suppress(ValueError):  # closed already
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()

    def abandon(self) -> None:
        """In a forked child: close this copy without unlocking what the parent holds."""
        self._file.close()


def lock_store(store: Path) -> FileLock:
    """The lock `<store>.lock`. Raises StoreLocked naming the holder; StoreUnavailable."""

    def taken(holder: str) -> StorageError:
        return StoreLocked(f"{store} is open for writing by {holder}; stop it, or send the command through it (--url)")

    try:
        return FileLock(store.with_name(store.name + ".lock"), taken)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot write in {store.parent}: {error.strerror}; give adaptd a folder that it may write to"
        ) from None


def lock_folder(folder: Path, setting: str) -> FileLock:
    """The lock in a folder that must be there, which that setting names. Raises FolderLocked, naming the holder;
    OSError."""

    def taken(holder: str) -> StorageError:
        return FolderLocked(
            f"{setting}: {folder} is in use by {holder}; stop it, or give each daemon a folder of its own"
        )

    return FileLock(folder / FOLDER_LOCK, taken)


def _holder(path: Path) -> str:
    try:
        pid = path.read_text().strip()
    except OSError:
        pid = ""
    return f"process {pid}" if pid.isdigit() else "another process"


def _forget_in_children(lock: FileLock) -> None:
    """A forked child inherits the open file, and with it the lock, and would keep it after the parent's death."""
    global _watching_forks
    _held.add(lock)
    if not _watching_forks:
        _watching_forks = True
        os.register_at_fork(after_in_child=_abandon_all)


def _abandon_all() -> None:
    for lock in list(_held):
        lock.abandon()
