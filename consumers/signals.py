"""Signals: each feedback event as a number in [0, 1] about the text that was judged.

Pure. Computed once at intake and stored with the version of these rules, so that a later version can tell its own from
older ones. An interaction has no signal: nothing said about an answer is not something bad said about it.
"""

from __future__ import annotations

from storage.records import (
    Body,
    Correction,
    Demonstration,
    Preference,
    Rating,
    Signal,
    Thumb,
    Validation,
)

from .similarity import SimilaritySettings, similarity

SCORER = "1"


def signal_of(body: Body, response: str | None, settings: SimilaritySettings) -> Signal | None:
    """The signal of one event; `response` is the text that was judged, where it is known.

    rating: linear on its scale. thumb: 1 or 0. validation: its score. correction: how like the *response* is to what
    the human made of it. preference: 1 for the chosen text and 0 for the rejected one; 1 unless `response` is the
    rejected one; a tie is 0.5. demonstration: 1. None for interactions, retractions, and a correction whose response
    has not come yet.
    """
    if isinstance(body, Correction):
        return None if response is None else _likeness(response, body.corrected, settings)
    value = _value(body, response)
    return None if value is None else Signal(value, SCORER)


def _likeness(response: str, corrected: str, settings: SimilaritySettings) -> Signal:
    found = similarity(response, corrected, settings)
    return Signal(found.value, SCORER, found.edit, found.bleu, found.truncated)


def _value(body: Body, response: str | None) -> float | None:
    if isinstance(body, Rating):
        return (body.value - body.scale_min) / (body.scale_max - body.scale_min)
    if isinstance(body, Thumb):
        return float(body.up)
    if isinstance(body, Validation):
        return body.score
    if isinstance(body, Preference):
        return 0.5 if body.tie else float(response is None or response != body.rejected)
    return 1.0 if isinstance(body, Demonstration) else None
