"""One contender at an engine: its answers and its likelihoods, each asked once, and none that is known already.

It is loaded into the engine when the first thing has to be asked, and unloaded by `release`; a contender that the
engine serves is asked under the name it is served by. What is too long for the engine is None, and not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from learners.engines.client import Answer, EngineClient, Scored
from learners.engines.errors import EngineRefused
from learners.engines.wire import Sampling
from learners.job import Contender, EvaluateJob, Prompt
from learners.training.kept_answers import KeptAnswers
from storage.records import codec

Item = tuple[Prompt, str]
Key = TypeVar("Key")
Found = TypeVar("Found")


class ContenderAt:
    """Use it with `with`, which releases it. Raises what the engine's client raises."""

    def __init__(self, engine: EngineClient, job: EvaluateJob, contender: Contender) -> None:
        self._engine, self._job, self._contender = engine, job, contender
        self._kept = KeptAnswers(job.kept_answers, contender.identity)
        self._sampling = Sampling(max_tokens=job.sampling.max_tokens, temperature=job.sampling.temperature)
        self._model: str | None = None
        self._loaded = False
        self._answers: dict[bytes, Answer | None] = {}
        self._scored: dict[tuple[bytes, str], Scored | None] = {}
        self.generated = 0

    @property
    def remembered(self) -> int:
        """How many answers and likelihoods were known from earlier jobs."""
        return self._kept.found

    def answers(self, prompts: Sequence[Prompt]) -> list[Answer | None]:
        """To each prompt, in their order. Greedy answers to equal prompts are equal, and asked for once."""
        known = {self._key(prompt): prompt for prompt in prompts if self._key(prompt) not in self._answers}
        if self._sampling.temperature == 0:
            for key, prompt in known.items():
                if (answer := self._kept.answer(prompt.messages, self._sampling)) is not None:
                    self._answers[key] = answer
        missing = {key: prompt for key, prompt in known.items() if key not in self._answers}
        for key, answer in zip(missing, self._generate(list(missing.values())), strict=True):
            self._answers[key] = answer
            if answer is not None:
                self._kept.keep_answer(missing[key].messages, self._sampling, answer)
        return [self._answers[self._key(prompt)] for prompt in prompts]

    def likelihoods(self, items: Sequence[Item]) -> list[Scored | None]:
        """Of each text as an answer to its prompt; None for one that is too long or has no token."""
        known = {_item_key(item): item for item in items if _item_key(item) not in self._scored}
        for key, (prompt, text) in known.items():
            if (scored := self._kept.scored(prompt.messages, text)) is not None:
                self._scored[key] = scored
        missing = {key: item for key, item in known.items() if key not in self._scored}
        for key, scored in zip(missing, self._score(list(missing.values())), strict=True):
            self._scored[key] = scored if scored is not None and scored.tokens else None
            if (told := self._scored[key]) is not None:
                self._kept.keep_scored(missing[key][0].messages, missing[key][1], told)
        return [self._scored[_item_key(item)] for item in items]

    def release(self) -> None:
        """Unload what was loaded for it; asking again loads it again. What it said is kept for later jobs."""
        if self._loaded and self._model is not None:
            self._engine.unload(self._model)
        self._model, self._loaded = None, False

    def save(self) -> None:
        self._kept.save()

    def __enter__(self) -> ContenderAt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.save()  # also where a validator failed afterwards: the next attempt need not ask it all again
        finally:
            self.release()

    def _key(self, prompt: Prompt) -> bytes:
        """Equal for prompts that get equal answers."""
        return codec.to_json(prompt.messages) + (b"" if self._sampling.temperature == 0 else prompt.id.encode())

    def _generate(self, prompts: Sequence[Prompt]) -> list[Answer | None]:
        asked = [prompt.messages for prompt in prompts]
        if not asked:
            return []
        found = self._refused_alone(lambda: self._engine.generate_what_fits(self._in_engine(), asked, self._sampling))
        self.generated += len(asked)
        return [None] * len(asked) if found is None else found

    def _refused_alone(self, ask: Callable[[], list[Answer | None]]) -> list[Answer | None] | None:
        """An engine that refuses everything it is asked is at fault, unless it has answered this contender before."""
        try:
            return ask()
        except EngineRefused:
            if any(answer is not None for answer in self._answers.values()):
                return None
            raise

    def _score(self, items: Sequence[Item]) -> list[Scored | None]:
        if not items:
            return []
        return self._engine.score_what_fits(self._in_engine(), [(prompt.messages, text) for prompt, text in items])

    def _in_engine(self) -> str:
        """The name under which the engine answers as the contender; loaded for this job where it is not served."""
        if self._model is not None:
            return self._model
        served = [model.name for model in self._engine.models()]
        if self._contender.path is None:
            self._model = served[0]
        elif self._contender.engine_model is not None and self._contender.engine_model in served:
            self._model = self._contender.engine_model
        else:
            short = self._contender.name.replace("/", ".").replace("@", "-")
            name = f"judged-{self._job.update_id}-{self._job.attempt}-{short}"
            self._engine.load(name, self._contender.path)
            self._model, self._loaded = name, True
        return self._model


def _item_key(item: Item) -> tuple[bytes, str]:
    return codec.to_json(item[0].messages), item[1]
