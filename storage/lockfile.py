"""A lock beside the store, so that two daemons cannot open one store for writing.

An advisory `flock` on `<store>.lock`: the kernel drops it when the process dies, however it dies. The file names the
holder for the message only, and stays behind when released (removing it would let two hold locks on two files). It
does not work across machines; a store on a network disk is not supported.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from pathlib import Path

from storage.errors import StoreLocked, StoreUnavailable

_held: weakref.WeakSet[StoreLock] = weakref.WeakSet()
_watching_forks = False


class StoreLock:
    """Held from construction until `release`. Raises StoreLocked naming the holder."""

    def __init__(self, store: Path) -> None:
        path = store.with_name(store.name + ".lock")
        try:
            self._file = path.open("a+")
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write in {store.parent}: {error.strerror}; give adaptd a folder that it may write to"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(path)
            self._file.close()
            raise StoreLocked(
                f"{store} is open for writing by {holder}; stop it, or send the command through it (--url)"
            ) from None
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


def _holder(path: Path) -> str:
    try:
        pid = path.read_text().strip()
    except OSError:
        pid = ""
    return f"process {pid}" if pid.isdigit() else "another process"


def _forget_in_children(lock: StoreLock) -> None:
    """A forked child inherits the open file, and with it the lock, and would keep it after the parent's death."""
    global _watching_forks
    _held.add(lock)
    if not _watching_forks:
        _watching_forks = True
        os.register_at_fork(after_in_child=_abandon_all)


def _abandon_all() -> None:
    for lock in list(_held):
        lock.abandon()
