"""What every encoder keeps; one set of tests runs over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from learners.ngrams import Vectors


class Encoder(Protocol):
    """Turns texts into unit vectors. The same text gives the same vector, whatever it is given with (to 1e-3)."""

    @property
    def name(self) -> str:
        """What people call it; it stands in reports."""
        ...

    @property
    def identity(self) -> str:
        """Changes whenever its vectors would; what is cached is kept under it."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimensions), each row of length 1. A text that is too long is read as far as it goes."""
        ...
