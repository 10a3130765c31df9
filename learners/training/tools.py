"""What the hooks of learners may ask of the model that is about to be trained (`learners.hooks.contract.Tools`).

Nothing they ask leaves a trace in it: weights and random numbers are put back, so that a run in which a learner looked
and changed nothing is the same to the bit as one without it. Rows that do not fit the window count as infinitely hard.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any

import torch

from learners.plan import plan_over
from learners.training.adapters import borrowed, weights_of
from learners.training.rows import IGNORED, EncodedRow, encode
from storage.records import Row

ROWS_AT_ONCE = 16


class ModelTools:
    """Of one model, as it stands when a hook is called; `settings` are the SFT method's, for the probe."""

    def __init__(self, model: Any, tokenizer: Any, max_context: int, settings: Any, seed: int) -> None:
        self._model, self._tokenizer, self._max_context = model, tokenizer, max_context
        self._settings, self._seed = settings, seed

    def loss(self, rows: Sequence[Row]) -> Sequence[float]:
        return self._losses(rows, self._encoded(rows))

    def probe_loss(self, rows: Sequence[Row], steps: int) -> Sequence[float]:
        encoded = self._encoded(rows)
        if not encoded:
            return [inf] * len(rows)
        with torch.random.fork_rng(), borrowed(self._model, weights_of(self._model)):
            torch.manual_seed(self._seed)
            self._try_out(encoded, steps)
            return self._losses(rows, encoded)

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
