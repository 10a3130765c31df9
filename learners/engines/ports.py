"""A worker's port: taken before the slow part of starting, told to the parent through a file when ready."""

from __future__ import annotations

import socket
from pathlib import Path

from learners.engines.errors import EngineError


class PortTaken(EngineError):
    """Something else listens there.

    To do: stop the process that listens there, or choose another port.

    Shows as: a line in the log of the engine or gateway, which is started again.
    """


def bind_port(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet; port 0 takes any free one. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"Port {port} on {host} cannot be taken ({error.strerror}); stop what uses it or choose another port."
        ) from None
    return listener


def write_port(path: Path, port: int) -> None:
    """The port as text, written to a temporary name and renamed, so that a reader never sees half of it."""
    half = path.with_name(path.name + ".new")
    half.write_text(str(port))
    half.replace(path)
