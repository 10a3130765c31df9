"""From a wire event of one kind to the canonical body of that kind, with the checks that belong to the kind alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.records import (
    Body,
    Correction,
    Demonstration,
    Interaction,
    Preference,
    Rating,
    Retraction,
    Thumb,
    Validation,
)

from .cleaning import check_name, check_text
from .errors import Unreadable
from .events import (
    AnyWire,
    LimitSettings,
    WireCorrection,
    WireDemonstration,
    WirePreference,
    WireRating,
    WireRetraction,
    WireScale,
    WireThumb,
    WireValidation,
)


def body_of(wire: AnyWire, limits: LimitSettings) -> Body:
    """The canonical body. Raises Unreadable (`clean`) where a value has the right type and no sense."""
    return _MAKERS[wire.kind](wire, limits)


def on_scale(value: float, scale: WireScale, field: str) -> float:
    """Where `value` stands on its scale, linear, in [0, 1]. Raises Unreadable outside the scale or without a span."""
    if not scale.min < scale.max or scale.max - scale.min == float("inf"):
        raise Unreadable("scale: min is not below max", "clean")
    if not scale.min <= value <= scale.max:
        raise Unreadable(f"{field}: outside its scale", "clean")
    return (value - scale.min) / (scale.max - scale.min)


def _interaction(_wire: Any, _limits: LimitSettings) -> Interaction:
    return Interaction()


def _rating(wire: WireRating, limits: LimitSettings) -> Rating:
    on_scale(wire.rating, wire.scale, "rating")
    _check_name(wire.criterion, "criterion", limits)
    return Rating(wire.rating, wire.scale.min, wire.scale.max, wire.criterion)


def _thumb(wire: WireThumb, limits: LimitSettings) -> Thumb:
    _check_name(wire.criterion, "criterion", limits)
    return Thumb(wire.thumb == "up", wire.criterion)


def _validation(wire: WireValidation, limits: LimitSettings) -> Validation:
    score = wire.score if wire.scale is None else on_scale(wire.score, wire.scale, "score")
    if not 0 <= score <= 1:
        raise Unreadable("score: outside 0 to 1, and no scale with it", "clean")
    _check_name(wire.validator, "validator", limits)
    _check_name(wire.criterion, "criterion", limits)
    return Validation(score, wire.passed, wire.validator, _checks(wire.checks or {}, limits), wire.criterion)


def _checks(checks: dict[str, Any], limits: LimitSettings) -> dict[str, bool]:
    if len(checks) > limits.max_checks:
        raise Unreadable(f"checks: {len(checks)}, more than {limits.max_checks}", "clean")
    for name, passed in checks.items():
        check_name(name, "checks", limits.max_id_chars)
        if not isinstance(passed, bool):
            raise Unreadable("checks: not true or false", "clean")
    return checks


def _correction(wire: WireCorrection, limits: LimitSettings) -> Correction:
    check_text(wire.corrected, "corrected", limits.max_text_chars)
    return Correction(wire.corrected)


def _preference(wire: WirePreference, limits: LimitSettings) -> Preference:
    check_text(wire.chosen, "chosen", limits.max_text_chars)
    check_text(wire.rejected, "rejected", limits.max_text_chars)
    if wire.chosen == wire.rejected and not wire.tie:
        raise Unreadable("preference: chosen and rejected are the same text, and it is no tie", "clean")
    chosen_id, rejected_id = wire.chosen_interaction_id, wire.rejected_interaction_id
    _check_name(chosen_id, "chosen_interaction_id", limits)
    _check_name(rejected_id, "rejected_interaction_id", limits)
    _check_name(wire.criterion, "criterion", limits)
    return Preference(wire.chosen, wire.rejected, bool(wire.tie), chosen_id, rejected_id, wire.criterion)


def _demonstration(wire: WireDemonstration, limits: LimitSettings) -> Demonstration:
    check_text(wire.demonstrated, "demonstrated", limits.max_text_chars)
    return Demonstration(wire.demonstrated)


def _retraction(wire: WireRetraction, limits: LimitSettings) -> Retraction:
    event_id, interaction_id = wire.retracts.event_id, wire.retracts.interaction_id
    if (event_id is None) == (interaction_id is None):
        raise Unreadable("retracts: give event_id or interaction_id, one of the two", "clean")
    _check_name(event_id, "retracts.event_id", limits)
    _check_name(interaction_id, "retracts.interaction_id", limits)
    return Retraction(event_id, interaction_id)


def _check_name(value: str | None, field: str, limits: LimitSettings) -> None:
    if value is not None:
        check_name(value, field, limits.max_id_chars)


_MAKERS: dict[str, Callable[[Any, LimitSettings], Body]] = {
    "interaction": _interaction,
    "rating": _rating,
    "thumb": _thumb,
    "validation": _validation,
    "correction": _correction,
    "preference": _preference,
    "demonstration": _demonstration,
    "retraction": _retraction,
}
