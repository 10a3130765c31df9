"""Lots: which of the examples that wait go into a batch, where no learner says so. Pure.

Each example draws a lot, the heavier the likelier an early one, and a batch takes the earliest. In order of weight
instead, a batch would hold what the answers were farthest from, which is often of one kind, or wrong, or hostile.

Source: P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir" (2006): the key u ** (1 / w), here as
log(-log(u)) - log(w), so that weights of any size keep their order.

Limits: two looks at the same feedback draw the same, so what drew late waits until what is ahead of it is used.
"""

from __future__ import annotations

import hashlib
from math import inf, log

from storage.records import Origin


def lot(chance: float, weight: float) -> float:
    """The place in the queue, as a number: lower is earlier. `chance` in (0, 1) is drawn evenly; `weight` at least 0.

    Of two examples the first is the earlier one in w1 / (w1 + w2) of all draws. Without weight: inf, the end.
    """
    return log(-log(chance)) - log(weight) if weight > 0 else inf


def chance_of(origin: Origin, secret: bytes) -> float:
    """In (0, 1), the same whenever it is asked, and drawn anew with new feedback on the interaction.

    Keyed (blake2b, RFC 7693), so that nobody without the secret can pick an interaction id that is drawn early.
    """
    drawn = f"lot\0{origin.interaction_id}\0{origin.revision}".encode()
    number = int.from_bytes(hashlib.blake2b(drawn, key=secret, digest_size=8).digest(), "big") >> 12
    return (number + 0.5) / 2**52  # 53 bits: exact, so never 1
