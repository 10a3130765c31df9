"""Which rows the policy has outgrown."""

from __future__ import annotations

import pytest

from learners.off_policy import SOLVED, STALE, Held, OffPolicySettings, outgrown

DEFAULTS = OffPolicySettings()


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (Held(-0.5, -0.9), ""),
        (Held(-0.5, -1.0), SOLVED),
        (Held(-0.5, -9.0, -0.5, -0.5), SOLVED),
        (Held(-2.0, -1.6, -2.0, -0.5), STALE),
        (Held(-2.0, -1.6, -2.0, -0.7), ""),
        (Held(-1.6, None, -0.5), STALE),
        (Held(-9.0, None, -9.0), ""),
        (Held(-9.0, None), ""),
    ],
    ids=[
        "a pair told apart a little",
        "by the margin",
        "told apart, and the rejected text unlearned",
        "the rejected text unlearned, the chosen one unlikelier still",
        "not yet",
        "a disliked answer unlearned",
        "one that the base would not say either",
        "under the base nothing is stale",
    ],
)
def test_pairs_are_solved_and_negatives_stale_by_a_margin_in_nats_a_token(held: Held, why: str) -> None:
    assert outgrown(held, DEFAULTS) == why


def test_either_can_be_turned_off() -> None:
    off = OffPolicySettings(solved_margin=None, stale_margin=None)
    assert outgrown(Held(-0.5, -9.0, -0.5, -0.5), off) == ""
    assert outgrown(Held(-9.0, None, -0.5), off) == ""
