"""Which exit code an error has: its own `exit_code`, else that of the room it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.errors import AdaptdError

EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_CONFIG = 3
EXIT_UNREACHABLE = 4
EXIT_STORE = 5
EXIT_DENIED = 6
EXIT_INTERRUPTED = 130

MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        EXIT_OK: "done",
        EXIT_BUG: "a fault of adaptd, or of a room that has no code of its own; the log or the lines before say where",
        EXIT_USAGE: "the command makes no sense as it is, or names something that is not there",
        EXIT_CONFIG: "what adaptd.yaml, a variable or a flag says, or names (a port, a model, a file), cannot be used",
        EXIT_UNREACHABLE: "no daemon, broker or engine answers",
        EXIT_STORE: "the store cannot be opened, read or written",
        EXIT_DENIED: "the state of things forbids it",
        EXIT_INTERRUPTED: "stopped by Ctrl-C",
    }
)
BY_ROOM = {"storage": EXIT_STORE, "consumers": EXIT_CONFIG, "learners": EXIT_CONFIG, "daemon": EXIT_BUG}


def exit_code_of(error: AdaptdError) -> int:
    return exit_code_of_kind(type(error))


def exit_code_of_kind(kind: type[AdaptdError]) -> int:
    own = getattr(kind, "exit_code", None)
    return int(own) if own is not None else BY_ROOM.get(kind.__module__.split(".")[0], EXIT_BUG)
