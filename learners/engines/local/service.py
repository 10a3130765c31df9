"""What the engine can do, between the HTTP door and the model's thread: turns requests into work and back.

Errors a caller can mend are BadRequest with an HTTP status. One bad prompt never spoils the batch it came in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from learners.engines.client import Answer, Scored
from learners.engines.local.model import Model, Prompt
from learners.engines.local.worker import Work, Worker, WorkerLimits, fail, fulfil, too_late
from learners.engines.wire import BadRequest, ChatRequest
from storage.records import Message


class Service:
    """One model under one public name for its base. Methods return futures; only the worker's thread runs the model."""

    def __init__(self, model: Model, base_name: str, limits: WorkerLimits, timeout_s: float) -> None:
        self.base_name = base_name
        self.max_adapters = model.limits.max_adapters
        self._model = model
        self._timeout_s = timeout_s
        self._worker = Worker(self._handle, limits)
        self._worker.start()

    @property
    def alive(self) -> bool:
        return self._worker.alive

    @property
    def waiting(self) -> int:
        return self._worker.waiting

    def adapters(self) -> dict[str, str]:
        """Names of loaded adapters and the folders they came from."""
        return {name: loaded.root for name, loaded in dict(self._model.adapters).items()}

    def generate(self, asked: ChatRequest) -> Future[tuple[Answer, int]]:
        """The answer, and how many tokens the prompt had."""
        return self._submit("generate", asked, batch_key=("generate", self._adapter(asked.model)))

    def score(self, model: str, items: Sequence[tuple[tuple[Message, ...], str]]) -> Future[list[Scored | None]]:
        return self._submit("score", self._adapter(model), items)

    def load(self, name: str, path: Path) -> Future[bool]:
        if name == self.base_name:
            raise BadRequest(f"{name!r} is the base's own name; load the adapter under another.", 409)
        return self._submit("load", name, path, first=True)

    def unload(self, name: str) -> Future[None]:
        return self._submit("unload", name)

    def close(self) -> None:
        self._worker.close()

    def _adapter(self, model: str) -> str | None:
        """The adapter of that name, None for the base. Raises BadRequest (404) for a name that is not loaded."""
        if model == self.base_name:
            return None
        if model not in self._model.adapters:
            raise BadRequest(f"The model {model[:200]!r} is not loaded here; see /v1/models for what is.", 404, "model")
        return model

    def _submit(self, do: str, *args: Any, batch_key: Any = None, first: bool = False) -> Future[Any]:
        work = Work(do, args, time.monotonic() + self._timeout_s, batch_key)
        return self._worker.submit(work, first=first)

    def _handle(self, works: list[Work]) -> None:
        work = works[0]
        if work.do == "generate":
            self._generate(works)
        elif work.do == "score":
            fulfil(work, self._model.score(*work.args))
        elif work.do == "load":
            fulfil(work, self._model.load(*work.args))
        else:
            self._model.unload(*work.args)
            fulfil(work, None)

    def _generate(self, works: list[Work]) -> None:
        ready = [(work, prompt) for work in works if (prompt := self._prepare(work)) is not None]
        if not ready:
            return
        _, adapter = works[0].batch_key or (None, None)
        answers = self._model.generate(adapter, [prompt for _, prompt in ready], lambda at: ready[at][0].abandoned())
        for (work, prompt), answer in zip(ready, answers, strict=True):
            if work.abandoned():
                fail(work, too_late())
            else:
                fulfil(work, (answer, len(prompt.ids)))

    def _prepare(self, work: Work) -> Prompt | None:
        asked: ChatRequest = work.args[0]
        try:
            return self._model.prepare(asked.messages, asked.sampling)
        except BadRequest as error:
            fail(work, error)
        except Exception as error:  # a chat template raises its own kinds on roles that it does not know
            what = f"The base's chat template cannot render these messages ({type(error).__name__}); check their roles."
            fail(work, BadRequest(what, param="messages"))
        return None
