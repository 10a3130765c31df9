"""A fork server whose daemon has died leaves at once, in the middle of its imports or long after them.

By itself it would notice only when its imports are done, and then take the interpreter and torch down piece by piece:
on a busy machine a minute, with half a gigabyte in its hands. It holds nothing that needs care. Workers, which it
forks, are not touched: they have a watch of their own (`worker`), and they run no exit handlers of their parent's.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MARK = "multiprocessing.forkserver import main"  # in the command of every fork server
LOOK_S = 0.2


@contextmanager
def leaving_with_parent() -> Iterator[None]:
    """Put around a fork server's imports; anywhere else it does nothing. The watching thread ends with the block,
    since no other thread may run when the server forks."""
    if not any(MARK in argument for argument in sys.orig_argv):
        yield
        return
    atexit.register(os._exit, 0)  # no taking down
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(os.getppid(), done), name="watch-parent", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _watch(parent_pid: int, done: threading.Event) -> None:
    while not done.wait(LOOK_S):
        if os.getppid() != parent_pid:
            os._exit(0)
