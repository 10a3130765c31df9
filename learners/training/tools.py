"""What the hooks of learners may ask of the model that is about to be trained (`learners.hooks.contract.Tools`).

Asked for the champion where training starts from the base, the model has the champion's weights for as long as it
answers: they are read once for each learner, a few MB that are kept while its hooks run. Nothing that is asked leaves a
trace: weights and random numbers are put back, so that a run in which a learner looked and changed nothing is the same
to the bit as one without it. Rows that do not fit the window count as infinitely hard.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import torch

from consumers.cleaning import last_asked
from learners.embeddings import open_encoder
from learners.engines.local.decoding import decode
from learners.engines.local.sampling import Draws
from learners.engines.wire import Sampling
from learners.hooks.contract import Sample
from learners.job import TrainJob
from learners.ngrams import Vectors
from learners.plan import plan_over
from learners.rendering import render_prompt, stop_ids
from learners.training.adapters import Weights, borrowed, read_weights
from learners.training.errors import StartMissing
from learners.training.rows import IGNORED, EncodedRow, encode
from learners.validators import Validated, open_validator
from storage.records import Message, Row

ROWS_AT_ONCE = 16
ANSWERS_AT_ONCE = 32
ANSWER_TOKENS = 512
ANSWERING_SHARE = 0.25  # of the job's time limit that the answers for one learner may take
ANSWERING_S = 600.0  # where the job has none


class ModelTools:
    """Of one model, as it stands when a hook is called; `settings` are the SFT method's, for the probe."""

    def __init__(self, model: Any, tokenizer: Any, job: TrainJob, settings: Any) -> None:
        self._model, self._tokenizer, self._job = model, tokenizer, job
        self._max_context, self._settings, self._seed = job.model.max_context, settings, job.seed
        self._validator = open_validator(job.validator.name, job.validator.settings) if job.validator else None
        self.notes: tuple[str, ...] = ()
        self._answered = 0  # prompts so far, so that no two draws are alike
        self._left_s = ANSWERING_SHARE * job.time_limit_s if job.time_limit_s else ANSWERING_S

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        with self._as_champion():
            return self._losses(rows, self._encoded(rows))

    def probe_loss(self, rows: Sequence[Row], steps: int, *, champion: bool = False) -> Sequence[float]:
        encoded = self._encoded(rows)
        if not encoded:
            return [inf] * len(rows)
        with torch.random.fork_rng(), borrowed(self._model, self._champion if champion else {}):
            torch.manual_seed(self._seed)
            self._try_out(encoded, steps)
            return self._losses(rows, encoded)

    def embed(self, texts: Sequence[str]) -> Vectors:
        with torch.random.fork_rng():  # opening a model may draw
            return open_encoder(self._job.embeddings.model, self._job.embeddings.cache).encode(texts)

    def answers(self, prompts: Sequence[Sequence[Message]], n: int, temperature: float) -> Sequence[Sequence[Sample]]:
        began = time.monotonic()
        ids = [render_prompt(self._tokenizer, messages) for messages in prompts for _ in range(n)]
        said: list[Sample] = []
        with torch.no_grad(), self._as_champion():
            self._model.eval()
            for at in range(0, len(ids), ANSWERS_AT_ONCE):
                said += self._answer(ids[at : at + ANSWERS_AT_ONCE], temperature, began + self._left_s)
        self._left_s -= time.monotonic() - began
        return [said[at : at + n] for at in range(0, len(said), n)]

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        return self._validator.validate(last_asked(messages), answer) if self._validator else None

    def _as_champion(self) -> AbstractContextManager[None]:
        """Inside, the model is the champion."""
        return borrowed(self._model, self._champion) if self._champion else nullcontext()

    @cached_property
    def _champion(self) -> Weights:
        """What has to be put in place so that the model is the champion; nothing where it is already.

        A champion that does not fit the model any more (`model.lora` was changed) is not worth an update: the policy
        that training starts from stands in for it, and `notes` say so.
        """
        if self._job.champion_path is None or self._job.start.mode == "champion":
            return {}
        try:
            return read_weights(self._model, Path(self._job.champion_path))
        except StartMissing as error:
            self.notes = (f"in the champion's place, the policy that training starts from was asked: {error}",)
            return {}

    def _answer(self, prompts: Sequence[list[int]], temperature: float, until_s: float) -> list[Sample]:
        """A prompt that leaves no room, or comes when time is up, gets an empty answer that is not whole."""
        rooms = [min(ANSWER_TOKENS, self._max_context - len(ids)) for ids in prompts]
        asked = [at for at, room in enumerate(rooms) if room > 0 and time.monotonic() < until_s]
        seeds = [self._seed * 1_000_003 + self._answered + at for at in asked]
        self._answered += len(prompts)
        said = [Sample("", whole=False)] * len(prompts)
        if not asked:
            return said
        found = decode(
            self._model.get_base_model(),
            [prompts[at] for at in asked],
            self._tokenizer.pad_token_id,
            self._stops,
            [rooms[at] for at in asked],
            Draws([Sampling(temperature=temperature, seed=seed) for seed in seeds]),
            lambda _: time.monotonic() > until_s,
        )
        for at, tokens in zip(asked, found, strict=True):
            whole = tokens[-1] in self._stops
            said[at] = Sample(self._tokenizer.decode(tokens, skip_special_tokens=True), whole)
        return said

    @property
    def _stops(self) -> tuple[int, ...]:
        return tuple(stop_ids(self._tokenizer))

    def _encoded(self, rows: Sequence[Row]) -> tuple[EncodedRow, ...]:
        return encode(self._tokenizer, rows, self._max_context).rows

    def _losses(self, rows: Sequence[Row], encoded: Sequence[EncodedRow]) -> list[float]:
        found = [inf] * len(rows)
        self._model.eval()
        for at in range(0, len(encoded), ROWS_AT_ONCE):
            some = encoded[at : at + ROWS_AT_ONCE]
            with torch.no_grad():
                each = self._nats(some)
            for row, nats in zip(some, each.tolist(), strict=True):
                found[row.line] = nats
        return found

    def _try_out(self, encoded: Sequence[EncodedRow], steps: int) -> None:
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self._settings.learning_rate, weight_decay=0.0)
        size = min(self._settings.batch_size, len(encoded))
        self._model.train()
        for places in plan_over(range(len(encoded)), batch_size=size, steps=steps, random=Random(self._seed)):
            self._nats([encoded[place] for place in places]).mean().backward()
            torch.nn.utils.clip_grad_norm_(trained, self._settings.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def _nats(self, rows: Sequence[EncodedRow]) -> torch.Tensor:
        """Mean negative log-likelihood a completion token, one number a row."""
        width = max(len(row.prompt_ids) + len(row.completion_ids) for row in rows)
        ids = torch.full((len(rows), width), self._tokenizer.pad_token_id, device=self._model.device)
        labels = torch.full((len(rows), width), IGNORED, device=self._model.device)
        mask = torch.zeros_like(ids)
        for at, row in enumerate(rows):
            whole = torch.tensor([*row.prompt_ids, *row.completion_ids], device=self._model.device)
            ids[at, : len(whole)], mask[at, : len(whole)] = whole, 1
            labels[at, len(row.prompt_ids) : len(whole)] = whole[len(row.prompt_ids) :]
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
        nats = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
        )
        return nats.sum(dim=1) / (labels[:, 1:] != IGNORED).sum(dim=1)
