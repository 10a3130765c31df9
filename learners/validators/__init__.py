"""Validators: programs that score one answer, so that a task has a score without asking anybody.

One file here is one validator, found by its name: a `Settings` class and `open(settings)`, which gives an object with
`validate(prompt, answer)`. Grammars that several files need live in sub-packages, which discovery passes over.
A validator is deterministic, judges any text without raising, reads no network and no clock, and needs no torch:
the evaluate worker and the daemon may both run it. `docs/add-a-learner.md` says how to add one. The one exception is
`http`, which asks a service of the user's, and raises ValidatorUnavailable where that does not answer. Such a file says
`ASKS_A_SERVICE = True`, so that the daemon asks it where nothing else waits.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from storage.records import AdaptdError
from storage.records.settings import Settings


@dataclass(frozen=True)
class Validated:
    """What a validator says of one answer."""

    score: float  # in [0, 1]
    passed: bool  # nothing left to wish for
    checks: Mapping[str, bool]  # the named sub-checks, for `validation` events and for the gate's guards
    parts: Mapping[str, float]  # each sub-check as a share in [0, 1]; same names as `checks`


class Validator(Protocol):
    """An opened validator; safe to call from several threads at once."""

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` given to `prompt` (the last user turn). Never raises, whatever the two texts hold.

        Only what asks somebody else raises, ValidatorUnavailable: no score is not a score of 0.
        """
        ...


class ValidatorModule(Protocol):
    """What a file in this folder offers."""

    Settings: type[Settings]

    def open(self, settings: Any) -> Validator:
        """Make the validator. Raises an AdaptdError when a setting cannot work (a schema file that is absent)."""
        ...


class ValidatorUnavailable(AdaptdError):
    """The root of what a validator raises that asks somebody else, and got no score. Trying again may help."""


class UnknownValidatorError(AdaptdError):
    """Config names a validator that no file here provides.

    To do: choose one of those that the text names, or add the file: `docs/add-a-learner.md`.

    Shows as: its exit code alone.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        if self.name == "judge":
            return "a judge compares two answers and so is no validator; set its address in `gate.judge`"
        return f"there is no validator {self.name!r}; set `validator:` to one of: {', '.join(self.known)}"


def validator_names() -> tuple[str, ...]:
    """The names that config may use, sorted, without importing anything."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg))


def validator(name: str) -> ValidatorModule:
    """The file behind a name. Raises UnknownValidatorError."""
    if name not in validator_names():
        raise UnknownValidatorError(name, validator_names())
    return cast(ValidatorModule, importlib.import_module(f"{__name__}.{name}"))


def asks_a_service(name: str) -> bool:
    """Whether that validator may have to wait for somebody else. Raises UnknownValidatorError."""
    return bool(getattr(validator(name), "ASKS_A_SERVICE", False))


def validators() -> Mapping[str, ValidatorModule]:
    """Every validator found, by name."""
    return {name: validator(name) for name in validator_names()}


def open_validator(name: str, settings: Mapping[str, Any] | None = None) -> Validator:
    """Open a validator from the plain values of a job file or of config.

    Raises UnknownValidatorError, pydantic's ValidationError for settings of the wrong shape, and what `open` raises.
    """
    module = validator(name)
    return module.open(module.Settings.model_validate(dict(settings or {})))
