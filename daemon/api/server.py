"""The HTTP server as a thread of the daemon: binds early so that a taken port is one clear line, stops in order."""

from __future__ import annotations

import errno
import socket
import threading

import uvicorn
from fastapi import FastAPI

from daemon.api.errors import quiet
from daemon.errors import DaemonError, PortInUse

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


def bind(host: str, port: int, key: str) -> socket.socket:
    """A listening socket. Raises PortInUse, naming the setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, UnicodeError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or str(error)
        raise PortInUse(f"cannot listen on {host}:{port} ({why}); {_remedy(error, key)}") from None
    return listener


def _remedy(error: Exception, key: str) -> str:
    unknown = isinstance(error, socket.gaierror | UnicodeError)
    if unknown or (isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL):
        return f"set `{key.replace('.port', '.host')}` to an address of this machine, such as 127.0.0.1"
    return f"stop what uses that port (is adaptd running already?), or set `{key}` to a free one"


class ApiServer:
    """uvicorn on a socket that is already bound, in a thread of its own."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        config = uvicorn.Config(
            quiet(app), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=3
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)

    def start(self) -> None:
        """Returns when requests are answered."""
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(START_TIMEOUT_S / 0.02)):
            if self._server.started:
                return
            waited.wait(0.02)
        raise DaemonError("the HTTP server did not start; see the log above")

    def stop(self) -> None:
        """Let requests at hand finish, within a time."""
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _serve(self) -> None:
        self._server.run(sockets=[self._listener])
