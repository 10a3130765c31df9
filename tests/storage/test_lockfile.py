"""One process may write a store: another is refused by name, and the lock dies with its holder, however that dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from storage.errors import StoreLocked
from storage.store import Store


def test_a_second_writer_is_refused_by_name(url: str, store: Store) -> None:
    with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
        Store.open(url)
    store.close()
    Store.open(url).close()


def opens_soon(url: str) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            Store.open(url).close()
        except StoreLocked:
            time.sleep(0.05)
        else:
            return True
    return False


def test_the_lock_dies_with_a_killed_process_and_is_not_kept_by_its_children(url: str) -> None:
    script = (
        "import os, sys, time\n"
        "from storage.store import Store\n"
        f"store = Store.open({url!r})\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    time.sleep(60)\n"
        "    os._exit(0)\n"
        "print(child, flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(StoreLocked):
            Store.open(url)
        holder.kill()
        holder.wait(30)
        assert opens_soon(url)  # the child may not have come to close its copy yet
    finally:
        os.kill(child, 9)
        holder.stdout.close()
