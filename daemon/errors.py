"""What can go wrong in the daemon, by the exit code that the command line gives it."""

from __future__ import annotations

from storage.records import AdaptdError

__all__ = [
    "AdaptdError",  # the root of all rooms' errors, for the doors, which import no other room
    "ConfigError",
    "DaemonError",
    "Denied",
    "NotFound",
    "PortInUse",
    "StoreBusy",
    "TooLarge",
    "Unreachable",
    "UsageError",
]


class DaemonError(AdaptdError):
    """The root of the daemon's errors; `exit_code` is what the command line ends with."""

    exit_code = 1


class ConfigError(DaemonError):
    """A fault in adaptd.yaml, a flag or a variable: one line for each, each with its place and what to do.

    To do: correct each line; [settings.md](settings.md) has every key.

    Shows as: its exit code alone.
    """

    exit_code = 3


class PortInUse(ConfigError):
    """Another process listens where adaptd should, or the address is none of this machine's.

    To do: stop it, or set `api.port` or `gateway.port` to a free one; for an address, correct `api.host` or
    `gateway.host`.

    Shows as: its exit code alone.
    """


class Unreachable(DaemonError):
    """The daemon, a broker or an engine does not answer.

    To do: start it (`adaptd run`), or name its address (`--url`, `ADAPTD_URL`, `--bootstrap`).

    Shows as: its exit code alone.
    """

    exit_code = 4


class UsageError(DaemonError):
    """The command or request makes no sense as it is; the text says what would.

    To do: what the text says; `--help` after any command shows what it takes.
    """

    exit_code = 2


class NotFound(UsageError):
    """The command names something that is not there; the text says where to look.

    To do: choose a name that the list shows.
    """


class TooLarge(UsageError):
    """More at once than the daemon takes; nothing of it was taken, send less at a time.

    To do: send fewer events a request, or raise `api.max_body`.
    """


class Denied(DaemonError):
    """The daemon refuses: the state of things forbids it, and the text says which state.

    To do: what the text says, or nothing where the state is as wanted already.
    """

    exit_code = 6


class StoreBusy(DaemonError):
    """The store cannot make things durable now; nothing was taken, send again.

    To do: send the same again later, which is always safe; where it lasts, see to the disk.
    """

    exit_code = 5
