"""A service that takes a request and then is silent, or drips its reply: a real socket on the loopback address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Manner = Literal["silent", "drips its head", "drips its body"]
GIVES_UP_S = 20.0  # so that a client without a deadline makes a test fail, not hang
DRIP_S = 0.02
FIRST = {
    "silent": b"",
    "drips its head": b"HTTP/1.1 200 OK\r\nx-slow: ",
    "drips its body": b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
}


@contextmanager
def slow_service(manner: Manner) -> Iterator[str]:
    """The address of one that serves until the end of the block, any number of connections at once."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_answer, args=(taken, manner, stopped), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stopped.set()
            listening.shutdown(socket.SHUT_RDWR)


def _answer(taken: socket.socket, manner: Manner, stopped: threading.Event) -> None:
    with taken:
        taken.recv(65536)
        try:
            taken.sendall(FIRST[manner])
            for _ in range(round(GIVES_UP_S / DRIP_S)):
                if stopped.wait(DRIP_S):
                    return
                if manner != "silent":
                    taken.sendall(b" ")
        except OSError:
            return  # the client has gone
