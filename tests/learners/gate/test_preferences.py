"""A verdict by which answer people would prefer: when it is what decides, and what it says."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from learners.gate import GateRow, GateSettings, judge
from tests.learners.gate.evidence_rows import labelled, scored

LIKELY = [1.0] * 40
JUDGE = {"url": "http://judge/v1", "model": "wise"}


def preferred(shares: Sequence[float], by: str = "win_rate") -> list[GateRow]:
    rows = labelled(LIKELY[: len(shares)], LIKELY[: len(shares)])
    return [replace(row, preferred={by: share}) for row, share in zip(rows, shares, strict=True)]


def test_a_candidate_whose_answers_are_preferred_is_promoted_and_the_reason_names_the_head() -> None:
    found = judge(preferred([1.0] * 32 + [0.5] * 4 + [0.0] * 4), (), GateSettings(), seed=1)
    assert (found.verdict, found.primary) == ("promote", "win_rate")
    assert found.candidate_score == pytest.approx(0.85)
    assert found.champion_score == pytest.approx(0.15)
    assert "preferred by the win-rate head: 15.0 -> 85.0 of 100 on 40 prompts" in found.reason
    assert "nll_per_token" not in found.report


def test_equal_answers_are_ties_and_hold() -> None:
    found = judge(preferred([0.5] * 40), (), GateSettings(), seed=1)
    assert (found.verdict, found.difference) == ("hold", 0.0)


def test_a_candidate_whose_answers_lose_is_rejected() -> None:
    assert judge(preferred([0.0] * 34 + [1.0] * 6), (), GateSettings(), seed=1).verdict == "reject"


def test_auto_takes_validator_then_judge_then_head_then_likelihood() -> None:
    both = [replace(row, preferred={"win_rate": 1.0, "judge": 0.0}) for row in labelled(LIKELY, LIKELY)]
    assert judge(both, (), GateSettings(), seed=1).primary == "judge"
    rated = [replace(row, preferred={"judge": 0.0}) for row in scored([0.5] * 40, [0.5] * 40)]
    assert judge(rated, (), GateSettings(), seed=1).primary == "validator"
    assert judge(labelled(LIKELY, LIKELY), (), GateSettings(), seed=1).primary == "nll"
    assert judge(both, (), GateSettings(primary="nll"), seed=1).primary == "nll"


def test_a_head_that_was_asked_for_and_could_not_be_made_holds_without_spending_a_look() -> None:
    found = judge(labelled(LIKELY, LIKELY), (), GateSettings(primary="win_rate"), seed=1)
    assert (found.verdict, found.spent_look) == ("hold", False)
    assert "0 of 20 different prompts whose answers the win-rate head compared" in found.reason


def test_a_judge_as_primary_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="primary: judge needs"):
        GateSettings(primary="judge")
    assert GateSettings.model_validate({"primary": "judge", "judge": JUDGE}).judge is not None
