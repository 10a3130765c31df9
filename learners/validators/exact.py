"""Scores an answer against the ones that are right: equal after normalising, or not.

What is right is either one list for every prompt (`accept`: the labels of a classification, say), or a file of prompts
with theirs (`answers_file`). A file holds one JSON object a line, {"prompt": "...", "answers": ["...", "..."]};
prompts are looked up normalised too. The sub-checks: *known* (there is a right answer for this prompt) and *equal*
(this is one). The score is 1 where both hold, else 0: nothing is given for coming near.

Normalising takes off the one code fence and the spaces around the text, brings letters to one form (Unicode NFKC),
makes every run of spaces one, ignores case unless `case` is set, and takes quotes, brackets and marks of punctuation
off the ends of each word unless `punctuation` is set. The mark within `3.5` stays, as does the minus of `-5`. An
answer over 100,000 characters is never equal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from learners.fences import unfenced
from storage.records import AdaptdError
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated

MAX_CHARS: Final = 100_000
SHAPE: Final = 'write one JSON object a line, {"prompt": "...", "answers": ["..."]}'

_BEFORE: Final = "\"'`([{<“‘«¿¡"
_AFTER: Final = "\"'`)]}>”’».,;:!?…"


class UnusableAnswersError(AdaptdError):
    """The right answers cannot be used. Names the place, and never quotes it.

    To do: correct the file, which holds one JSON object a line, {"prompt": "...", "answers": ["..."]}, or the list.

    Shows as: its exit code alone.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return f"validator exact: {self.where}: {self.what}"


class Settings(BaseSettings):
    """Exactly one of `accept` and `answers_file`."""

    accept: tuple[str, ...] = setting((), doc="Answers that are right, whatever was asked.")
    answers_file: Path | None = setting(None, doc="A file with prompts and the answers that are right to each.")
    case: bool = setting(False, doc="Whether capital and small letters differ.")
    punctuation: bool = setting(False, doc="Whether quotes, brackets and marks at the ends of words count.")

    @field_validator("answers_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # A job's worker runs in another directory than the daemon that read the config.
        return path and path.expanduser().absolute()

    @model_validator(mode="after")
    def _one_kind(self) -> Settings:
        if bool(self.accept) == (self.answers_file is not None):
            raise ValueError("exact needs one of accept and answers_file, and not both")
        return self


class _Line(BaseModel):
    """One line of an answers file."""

    model_config = ConfigDict(extra="forbid")
    prompt: str
    answers: tuple[str, ...] = Field(min_length=1)


def open(settings: Settings) -> Exact:
    """The validator with its answers. Raises UnusableAnswersError."""
    return Exact(settings)


class Exact:
    """The validator. The right answers are read once; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._always = self._all(settings.accept)
        self._by_prompt = {} if settings.answers_file is None else self._read(settings.answers_file)
        if "" in self._always or any("" in right for right in self._by_prompt.values()):
            raise UnusableAnswersError(
                _where(settings), "an answer has no word; set `punctuation: true`, or take it out"
            )

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by those that are right to `prompt`. Never raises."""
        right = self._always or (self._by_prompt.get(self._normal(prompt), frozenset()))
        equal = len(answer) <= MAX_CHARS and self._normal(unfenced(answer)) in right
        checks = {"known": bool(right), "equal": equal}
        return Validated(float(equal), equal, checks, {name: float(holds) for name, holds in checks.items()})

    def _normal(self, text: str) -> str:
        if not self._settings.case:
            text = text.casefold()
        words = unicodedata.normalize("NFKC", text).split()
        if not self._settings.punctuation:
            words = [bare for word in words if (bare := word.lstrip(_BEFORE).rstrip(_AFTER))]
        return " ".join(words)

    def _all(self, answers: Iterable[str]) -> frozenset[str]:
        return frozenset(self._normal(unfenced(answer)) for answer in answers)

    def _read(self, path: Path) -> Mapping[str, frozenset[str]]:
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError) as problem:
            what = f"cannot be read ({type(problem).__name__})"
            raise UnusableAnswersError(_where(self._settings), what) from None
        found: dict[str, frozenset[str]] = {}
        for number, line in enumerate(lines, 1):
            if line.strip():
                entry = _parsed(f"{_where(self._settings)}, line {number}", line)
                prompt = self._normal(entry.prompt)
                found[prompt] = found.get(prompt, frozenset()) | self._all(entry.answers)
        if not found:
            raise UnusableAnswersError(_where(self._settings), f"holds no answer; {SHAPE}")
        return found


def _where(settings: Settings) -> str:
    return "accept" if settings.answers_file is None else f"answers_file {settings.answers_file}"


def _parsed(where: str, line: str) -> _Line:
    try:
        return _Line.model_validate_json(line)
    except ValidationError:
        raise UnusableAnswersError(where, f"cannot be read; {SHAPE}") from None
