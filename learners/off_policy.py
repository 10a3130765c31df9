"""Rows that the policy has outgrown: what they would teach is known, or is about texts that nobody says any more.

Feedback is about answers of the adapter that gave them, which is rarely the one that learns from it. Two things are
measured under the champion, in the worker, in nats a token, before training: a pair is *solved* where it already holds
the chosen text so much likelier than the rejected one; a negative (a disliked answer, a rejected text) is *stale* where
it already holds it so much less likely than the base does: there is nothing left to push down. And without measuring,
a negative is *superseded* where the adapter that said it has so many successors. Pure.

Limits: a champion that is the base has outgrown nothing, so only solved pairs are found there.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.records.settings import Settings, setting

SOLVED = "solved under the champion, left to replay"
STALE = "stale: the champion hardly says it any more"


class OffPolicySettings(Settings):
    """Settings of `updates.off_policy`."""

    solved_margin: float | None = setting(
        0.5,
        doc="A pair is left to replay where the champion holds the chosen text so much likelier than the rejected one; "
        "null: never.",
        unit="nats a token",
        ge=0,
    )
    stale_margin: float | None = setting(
        1.0,
        doc="A disliked or rejected text is dropped where the champion holds it so much less likely than the base "
        "does; null: never.",
        unit="nats a token",
        ge=0,
    )
    superseded_after: int | None = setting(
        10, doc="Disliked and rejected texts of an adapter with more successors are dropped; null: never.",
        unit="adapters", ge=1,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """How likely a row's texts are, in mean nats a token (at most 0); `other` is the rejected text of a pair.

    `text_by_base` and `other_by_base` are by the base alone, None where the champion is the base.
    """

    text: float
    other: float | None = None
    text_by_base: float | None = None
    other_by_base: float | None = None


def outgrown(held: Held, settings: OffPolicySettings) -> str:
    """Why a pair or a disliked answer is not trained on: SOLVED, STALE, or empty."""
    solved, stale = settings.solved_margin, settings.stale_margin
    if solved is not None and held.other is not None and held.text - held.other >= solved:
        return SOLVED
    negative, before = (held.text, held.text_by_base) if held.other is None else (held.other, held.other_by_base)
    return STALE if stale is not None and before is not None and before - negative >= stale else ""
