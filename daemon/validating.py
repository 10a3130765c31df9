"""Asks validators that are services of users', apart from the scheduler, which waits for nobody's service.

A task has at most one look on its way. Looks stand in one line for a few threads, so a slow service takes up one thread
for `LONGEST_LOOK_S` and one answer more, and its next look goes to the end of the line. What was scored is kept until
the scheduler takes it. The threads write nothing anywhere, so the end of the process does not wait for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from daemon.config import ValidatorChoice
from learners.validators import Validated, open_validator

THREADS = 4
LONGEST_LOOK_S = 10.0  # after which a look gives back what it has
Texts = tuple[str, str]  # prompt and answer


@dataclass(frozen=True)
class Look:
    """Some answers of one task and what its validator said of them; read it once it has `ended`."""

    choice: ValidatorChoice
    texts: Sequence[Texts]
    scores: dict[Texts, Validated] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)  # the one that ended it early
    unscored: list[Texts] = field(default_factory=list)  # what it was asked about then
    ended: threading.Event = field(default_factory=threading.Event)

    def validate(self, prompt: str, answer: str) -> Validated:
        """As the validator said. Raises KeyError for what was not scored."""
        return self.scores[prompt, answer]


class Validating:
    """Called from one thread alone; what it does is done in others."""

    def __init__(self) -> None:
        self._looks: dict[str, Look] = {}
        self._line: SimpleQueue[Look | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self, task: str, choice: ValidatorChoice, texts: Sequence[Texts]) -> None:
        """Put a look in the line; nothing where one of that task is on its way."""
        if task in self._looks or self._stopping.is_set():
            return
        self._looks[task] = look = Look(choice, texts)
        self._line.put(look)
        if len(self._threads) < min(THREADS, len(self._looks)):
            self._threads.append(threading.Thread(target=self._run, name="validator service", daemon=True))
            self._threads[-1].start()

    def take(self, task: str) -> Look | None:
        """The task's look, once, when it has ended; never waits."""
        look = self._looks.get(task)
        return self._looks.pop(task) if look is not None and look.ended.is_set() else None

    def stop(self) -> None:
        """No more is asked; returns at once. An answer that is waited for ends its thread when it comes."""
        self._stopping.set()
        for _ in self._threads:
            self._line.put(None)

    def _run(self) -> None:
        while (look := self._line.get()) is not None:
            try:
                self._ask(look)
            except Exception as error:  # the scheduler says it
                look.errors.append(error)
            finally:
                look.ended.set()

    def _ask(self, look: Look) -> None:
        until_s = time.monotonic() + LONGEST_LOOK_S
        validator = open_validator(look.choice.name, look.choice.settings)
        for texts in look.texts:
            if self._stopping.is_set() or (look.scores and time.monotonic() > until_s):
                return
            look.unscored.append(texts)
            look.scores[texts] = validator.validate(*texts)
            look.unscored.pop()
