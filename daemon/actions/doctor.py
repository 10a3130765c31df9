"""`adaptd doctor`: the environment as a daemon would find it."""

from __future__ import annotations

from pydantic import BaseModel

from daemon.doctor import Check, examine
from daemon.reload import ConfigSource


class CheckView(BaseModel):
    name: str
    state: str
    words: str


class Diagnosis(BaseModel):
    """`exit_code` is 0, or that of the first thing to mend: config before store before what cannot be reached."""

    checks: list[CheckView]
    exit_code: int


def diagnose(source: ConfigSource) -> Diagnosis:
    """Raises nothing for what is wrong: that is what it tells."""
    found = examine(source)
    return Diagnosis(checks=[_view(check) for check in found], exit_code=_exit_code(found))


def _view(check: Check) -> CheckView:
    return CheckView(name=check.name, state=check.state, words=check.words)


def _exit_code(found: list[Check]) -> int:
    codes = {check.exit_code for check in found if check.state == "fail"}
    return next((code for code in (3, 5, 4) if code in codes), 0)
