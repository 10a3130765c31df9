"""What can go wrong between adaptd and an engine. Texts carry no user text: at most names, numbers and paths."""

from __future__ import annotations

from learners.errors import LearnerError


class EngineError(LearnerError):
    """The root of an engine's errors: it could not do what was asked."""


class EngineUnreachable(EngineError):
    """No answer from the engine: absent, starting, dead, or too slow. Trying again may help.

    To do: wait, adaptd starts its engine again; where it lasts, read the engine's log, whose last words the text
    gives.

    Shows as: the engine's reason in `adaptd status`, and in the log.
    """


class EngineBusy(EngineUnreachable):
    """The engine is there but cannot take more now (503). Trying again after `retry_after_s` seconds may help.

    To do: ask again a little later, or ask less at once.

    Shows as: 503 from the engine; adaptd tries again by itself.
    """

    def __init__(self, what: str, retry_after_s: float = 1.0) -> None:
        super().__init__(what, retry_after_s)
        self.what = what
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.what


class EngineRefused(EngineError):
    """The engine answered that it will not: `status` is the HTTP status, `what` was wrong, `do` helps.

    To do: what the text says; the same request would be refused again.

    Shows as: the release's reason in decisions and log.
    """

    def __init__(self, status: int, what: str, do: str = "") -> None:
        super().__init__(status, what, do)
        self.status = status
        self.what = what
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} {self.do}".strip()
