"""Which learners took part in an update, by what its report says: a switch that is on says only that one could. Pure.

The report has the switches from the beginning on, and what was trained once that has ended. A learner that is off was
off; of one that is on nothing is known until then, nor where training failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Part = Literal["took part", "idle", "off", "unknown"]

OFF = (False, "off", None)
EFFECTS = ("brought", "kept", "left_out")  # figures of a learner: examples chosen, rows made, rows not trained on
PREFERENCE = ("dpo", "kto")


def parts_of(report: Mapping[str, Any]) -> dict[str, Part]:
    """By learner, of those that the report names: empty where the update has not begun, or says nothing of learners."""
    return {name: _part(name, state, report) for name, state in report.get("learners", {}).items()}


def _part(name: str, state: object, report: Mapping[str, Any]) -> Part:
    if state in OFF:
        return "off"
    if name == "hyperparameters":
        return _yes(_tuned(report)) if "settings" in report else "unknown"
    training = report.get("training")
    if not training:
        return "unknown"
    if name == "preference":
        return _yes(_trained_preference(training))
    return _yes(_worked(training, name)) if "learners" in training else "unknown"


def _yes(took_part: bool) -> Part:
    return "took part" if took_part else "idle"


def _tuned(report: Mapping[str, Any]) -> bool:
    return str(report["settings"].get("origin", "")).startswith("tuning")


def _trained_preference(training: Mapping[str, Any]) -> bool:
    return any(phase.get("method") in PREFERENCE and phase.get("steps") for phase in phases_of(training))


def _worked(training: Mapping[str, Any], name: str) -> bool:
    """By its figures; whoever chooses and makes nothing schedules, and has left its stages in the phases."""
    told = training["learners"].get(name)
    if told is None:
        return False
    figures = told.get("numbers", {})
    if any(figures.get(figure) for figure in EFFECTS):
        return True
    return not {"brought", "kept"} & figures.keys() and any(phase.get("stages") for phase in phases_of(training))


def phases_of(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The phases in a result; one of an earlier version is its own only phase."""
    return list(training["phases"]) if "phases" in training else [training] if "method" in training else []
