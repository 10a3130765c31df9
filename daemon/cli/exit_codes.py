"""Which exit code an error has: its own `exit_code`, else that of the room it comes from."""

from __future__ import annotations

from daemon.errors import AdaptdError

EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_CONFIG = 3
EXIT_UNREACHABLE = 4
EXIT_STORE = 5
EXIT_DENIED = 6
EXIT_INTERRUPTED = 130

BY_ROOM = {"storage": EXIT_STORE, "consumers": EXIT_CONFIG, "learners": EXIT_CONFIG, "daemon": EXIT_BUG}


def exit_code_of(error: AdaptdError) -> int:
    own = getattr(error, "exit_code", None)
    return int(own) if own is not None else BY_ROOM.get(type(error).__module__.split(".")[0], EXIT_BUG)
