"""How the next token of each row in a batch is drawn.

A batch may mix greedy and sampled rows with temperatures and seeds of their own. Sampled rows get Gumbel noise added
to their logits: the largest of `log p + Gumbel` is a draw from `p` (the Gumbel-max trick: Gumbel 1954; Maddison,
Tarlow, Minka 2014), so each row keeps its own random generator, whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from learners.engines.wire import Sampling


class Draws:
    """One generator a sampled row; rows are named by their number in the batch as it was at first."""

    def __init__(self, samplings: Sequence[Sampling]) -> None:
        self._sampled = {row: (s, _generator(s.seed)) for row, s in enumerate(samplings) if s.temperature > 0}

    def next_tokens(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """The next token of each of `rows`, whose logits (rows, vocabulary) these are; shape (rows,)."""
        for at, row in enumerate(rows):
            if row in self._sampled:
                logits[at] = _noisy(logits[at], *self._sampled[row])
        return logits.argmax(-1)


def _noisy(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    scaled = _nucleus(logits / max(sampling.temperature, 1e-4), sampling.top_p)
    return scaled - torch.empty_like(scaled).exponential_(generator=generator).clamp_min(1e-30).log()


def _generator(seed: int | None) -> torch.Generator:
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed & (2**63 - 1))
    return generator


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Logits with everything outside the smallest set of tokens that holds `top_p` of the probability at -inf."""
    if top_p >= 1:
        return logits
    ordered, order = logits.sort(descending=True)
    p = ordered.softmax(-1)
    outside = p.cumsum(-1) - p >= top_p
    return logits.index_fill(0, order[outside], -torch.inf)
