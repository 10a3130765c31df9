"""Batched decoding that drops rows as they end.

Why not `transformers.generate`: it carries every row to the end of the longest, which on answers of mixed length is
most of the work. This loop gave the same answers in about half the time (200 short diagrams, CPU). It knows greedy and
sampled rows, one answer each, over the library's key-value cache; no beams, no penalties.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from learners.engines.local.sampling import Draws

SHRINK_AT = 0.75  # when so few of a batch's rows go on, the others are dropped; each shrink copies the cache once


def pad_left(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and positions of shape (rows, longest); positions begin at 0 after the padding."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + [*row] for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask, (mask.cumsum(-1) - 1).clamp_min(0)


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    pad: int,
    stops: Collection[int],
    limits: Sequence[int],
    draws: Draws,
    abandoned: Callable[[int], bool],
) -> list[list[int]]:
    """The new tokens of each prompt, up to and with a stop token, or `limits` many.

    A row for which `abandoned(row)` holds is left as far as it is.
    """
    answers: list[list[int]] = [[] for _ in prompts]
    rows, going = list(range(len(prompts))), set(range(len(prompts)))
    ids, mask, positions = (part.to(model.device) for part in pad_left(prompts, pad))
    cache = DynamicCache(config=model.config)
    while True:
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        tokens = draws.next_tokens(out.logits[:, -1].float().cpu(), rows).to(model.device)
        for row, token in zip(rows, tokens.tolist(), strict=True):
            if row in going:
                answers[row].append(token)
                if token in stops or len(answers[row]) >= limits[row] or abandoned(row):
                    going.remove(row)
        if not going:
            return answers
        positions = positions[:, -1:] + 1
        if len(going) <= SHRINK_AT * len(rows):
            kept = torch.tensor([at for at, row in enumerate(rows) if row in going], device=model.device)
            cache.batch_select_indices(kept)
            mask, tokens, positions = mask[kept], tokens[kept], positions[kept]
            rows = [row for row in rows if row in going]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=-1)
        ids = tokens[:, None]
