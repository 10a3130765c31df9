"""The recipe of the small base: every number that decides its weights, apart from torch so that anyone may read it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Lengths are in tokens, rates in their optimizer's own unit.

    One thread: a second one gains little on a model this small, and the sums then come in the same order everywhere.
    """

    steps: int = 630
    batch_size: int = 16
    vocabulary_size: int = 1152  # enough for every word of the world to be one token, and for pieces of other words
    width: int = 128
    layers: int = 3
    heads: int = 8
    inner_width: int = 352
    max_positions: int = 512
    muon_rate: float = 0.01
    adamw_rate: float = 5e-3
    warm_up_steps: int = 20
    clip_norm: float = 1.0
    threads: int = 1
    seed: int = 0

    def to_json(self) -> str:
        """One line of JSON, the same for the same recipe."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote; TypeError where a key is unknown."""
        return cls(**json.loads(text))
