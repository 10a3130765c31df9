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
    """Root of the daemon's errors; `exit_code` is what the command line ends with."""

    exit_code = 1


class ConfigError(DaemonError):
    """adaptd.yaml, a flag or a variable is wrong: one line per fault, each with its place and what to do."""

    exit_code = 3


class PortInUse(ConfigError):
    """Another process listens where adaptd should."""


class Unreachable(DaemonError):
    """The daemon, a broker or an engine does not answer."""

    exit_code = 4


class UsageError(DaemonError):
    """The command or request makes no sense as it is; the text says what would."""

    exit_code = 2


class NotFound(UsageError):
    """The command names something that is not there; the text says where to look."""


class TooLarge(UsageError):
    """More at once than the daemon takes; nothing of it was taken, send less at a time."""


class Denied(DaemonError):
    """The daemon refuses: the state of things forbids it, and the text says which state."""

    exit_code = 6


class StoreBusy(DaemonError):
    """The store cannot make things durable now; nothing was taken, send again."""

    exit_code = 5
