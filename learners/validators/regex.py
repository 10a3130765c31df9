"""Scores an answer by regular expressions: one that the whole answer must follow, some that must be found, some that
must not.

The sub-checks, each worth the same: *matches* (`pattern` fits the whole answer), *has:<name>* for each entry of
`require` (it is found somewhere), *free_of:<name>* for each entry of `forbid` (it is not). The score is the share that
holds; an answer passes when all do. The spaces and the one code fence around the answer are taken off first.

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax), not Python's: they cannot run away, whatever an answer
holds, and in return know no look-around and no back-reference. `(?i)` in front ignores case, `(?s)` lets a dot match a
line end too. An answer over 1,000,000 characters fails every check unread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import re2
from pydantic import model_validator

from learners.fences import unfenced
from storage.records import AdaptdError
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated

MAX_CHARS: Final = 1_000_000


class UnusablePatternError(AdaptdError):
    """A pattern in the settings is no regular expression that RE2 knows. Its text names the setting.

    To do: correct the pattern; look-around and back-references are not to be had.

    Shows as: its exit code alone.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return f"validator regex: {self.where}: {self.what}; write it in RE2's syntax, which has no look-around"


class Settings(BaseSettings):
    """At least one of the three."""

    pattern: str | None = setting(None, doc="What the whole answer must be.")
    require: dict[str, str] = setting({}, doc="Patterns by name, each of which must be found in the answer.")
    forbid: dict[str, str] = setting({}, doc="Patterns by name, none of which may be found in the answer.")

    @model_validator(mode="after")
    def _asks_for_something(self) -> Settings:
        if self.pattern is None and not self.require and not self.forbid:
            raise ValueError("regex needs at least one of pattern, require and forbid")
        return self


def open(settings: Settings) -> Regex:
    """The validator for the patterns. Raises UnusablePatternError for one that does not compile."""
    return Regex(settings)


class Regex:
    """The validator. Its patterns are compiled once; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._whole = None if settings.pattern is None else _compiled("pattern", settings.pattern)
        self._required = _all_compiled("require", settings.require)
        self._forbidden = _all_compiled("forbid", settings.forbid)

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by the patterns; the prompt plays no part. Never raises."""
        del prompt
        if len(answer) > MAX_CHARS:
            checks = dict.fromkeys((name for name, _ in self._checks("")), False)
        else:
            checks = dict(self._checks(unfenced(answer)))
        parts = {name: float(holds) for name, holds in checks.items()}
        return Validated(sum(parts.values()) / len(parts), all(checks.values()), checks, parts)

    def _checks(self, answer: str) -> Iterator[tuple[str, bool]]:
        text = answer.encode("utf-8", "replace")  # half a surrogate pair has no place in UTF-8
        if self._whole is not None:
            yield "matches", self._whole.fullmatch(text) is not None
        for name, pattern in self._required.items():
            yield f"has:{name}", pattern.search(text) is not None
        for name, pattern in self._forbidden.items():
            yield f"free_of:{name}", pattern.search(text) is None


def _all_compiled(where: str, patterns: Mapping[str, str]) -> dict[str, Any]:
    return {name: _compiled(f"{where}.{name}", pattern) for name, pattern in patterns.items()}


def _compiled(where: str, pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # it would print the pattern past every log
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as problem:
        said = problem.args[0] if problem.args else "it does not compile"
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise UnusablePatternError(where, words) from None
    except UnicodeEncodeError:
        raise UnusablePatternError(where, "it holds half a surrogate pair") from None
