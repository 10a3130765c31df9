"""One line of `adaptd doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]
EXIT_CONFIG, EXIT_UNREACHABLE, EXIT_STORE = 3, 4, 5


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and, unless it is ok, what to do. `exit_code` counts where it failed."""

    name: str
    state: State
    words: str
    exit_code: int = 0


def ok(name: str, words: str) -> Check:
    return Check(name, "ok", words)


def warn(name: str, words: str) -> Check:
    return Check(name, "warn", words)


def fail(name: str, words: str, exit_code: int = EXIT_CONFIG) -> Check:
    return Check(name, "fail", words, exit_code)
