"""What can go wrong between adaptd and an engine. Texts carry no user text: at most names, numbers and paths."""

from __future__ import annotations

from learners.errors import LearnerError


class EngineError(LearnerError):
    """The engine could not do what was asked."""


class EngineUnreachable(EngineError):
    """No answer from the engine: absent, starting, dead, or too slow. Trying again may help."""


class EngineBusy(EngineUnreachable):
    """The engine is there but cannot take more now (503). Trying again after `retry_after_s` seconds may help."""

    def __init__(self, what: str, retry_after_s: float = 1.0) -> None:
        super().__init__(what, retry_after_s)
        self.what = what
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.what


class EngineRefused(EngineError):
    """The engine answered that it will not: `status` is the HTTP status, `what` was wrong, `do` helps."""

    def __init__(self, status: int, what: str, do: str = "") -> None:
        super().__init__(status, what, do)
        self.status = status
        self.what = what
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} {self.do}".strip()
