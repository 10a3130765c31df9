"""Scores an answer by how long it is: `long_enough` and `short_enough`, each 1 within the limits.

Below `min`, `long_enough` is the share of it that is there; above `max`, `short_enough` is `max` over what there is.
Only one of the two can be below 1, and the score is the lower one. An answer passes when both are 1. What is counted
is the answer without the spaces and the one code fence around it; a word is what stands between spaces.

Alone it says nothing about what an answer is worth: a model learns to write just so much. An answer over
1,000,000 characters scores 0 uncounted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import model_validator

from learners.fences import unfenced
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated

MAX_CHARS: Final = 1_000_000

_COUNTS: Final[Mapping[str, Callable[[str], int]]] = {
    "words": lambda text: len(text.split()),
    "characters": len,
    "lines": lambda text: len(text.splitlines()),
}


class Settings(BaseSettings):
    """How long an answer may be; `max` has to be given, or `min` above its default."""

    count: Literal["words", "characters", "lines"] = setting("words", doc="What `min` and `max` count.")
    min: int = setting(1, doc="As long as an answer must be.", unit="words, characters or lines", ge=1)
    max: int | None = setting(None, doc="As long as an answer may be.", unit="words, characters or lines", ge=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> Settings:
        if self.max is None and self.min == 1:
            raise ValueError("length needs min or max, else every answer that says anything passes")
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max ({self.max}) is below min ({self.min}), so that no answer could pass")
        return self


def open(settings: Settings) -> Length:
    """The validator with these settings."""
    return Length(settings)


class Length:
    """The validator. Stateless, so that threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by its length; the prompt plays no part. Never raises."""
        del prompt
        parts = {"long_enough": 0.0, "short_enough": 0.0}
        if len(answer) <= MAX_CHARS:
            parts = self._parts(_COUNTS[self._settings.count](unfenced(answer)))
        checks = {name: part == 1.0 for name, part in parts.items()}
        return Validated(min(parts.values()), all(checks.values()), checks, parts)

    def _parts(self, length: int) -> dict[str, float]:
        most = self._settings.max
        return {
            "long_enough": min(1.0, length / self._settings.min),
            "short_enough": 1.0 if most is None or length <= most else most / length,
        }
