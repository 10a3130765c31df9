"""What the tuner keeps: studies, which look for better settings of a task's method, and tunings, which are in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

StudyState = Literal["open", "adopted", "kept", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Study:
    """One search for settings. It spans as many idle periods as it takes; its trials are in a journal of Optuna's.

    `adopted`: what it found won, and is a tuning; `kept`: nothing won against what was in force.
    """

    study_id: int
    task: str
    method: str
    base_hash: str
    state: StudyState
    wanted: int  # trials
    done: int  # trials that came to an end
    crashes: int  # search jobs in a row that ended without a result
    rows: int  # rows that could be trained on when it was opened
    knobs: list[dict[str, Any]]  # `learners.job.Knob`
    best: dict[str, Any]  # `learners.job.BestTrial`; empty before the first
    reason: str
    created_at: datetime
    changed_at: datetime
    yardstick: str | None = None  # of the validator that scores its trials; empty: the dev loss does; None: not known


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings that a study found, in force from `since` until the next version of the task. Without settings: the
    configured ones again.

    `configured` is what adaptd.yaml said of the same settings then: a tuning holds only while it still says so.
    """

    task: str
    version: int
    method: str
    base_hash: str
    settings: dict[str, float]
    configured: dict[str, Any]
    since: datetime
    reason: str
    actor: str = "adaptd"
    study_id: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
