"""`adaptd updates show` in words, from the plain data that the API gives."""

from __future__ import annotations

from typing import Any

from daemon.cli.one_update import lines_of

UPDATE: dict[str, Any] = {
    "update_id": 3,
    "task": "erd",
    "state": "promoted",
    "candidate": "erd@v1",
    "champion": "erd@v0",
    "reason": "better",
    "batch_size": 20,
    "pool_size": 30,
    "attempts": 0,
}


def shown(**verdict: Any) -> list[str]:
    whole = {"verdict": "promote", "primary": "validator", "prompts": 60, **verdict}
    return [line.strip() for line in lines_of({**UPDATE, "report": {"verdict": whole}})]


def test_measures_are_shown_in_points_or_their_own_unit() -> None:
    both = {"prompts": 60, "error": 0.02}
    lines = shown(
        measures={
            "score": {"champion": 0.7, "candidate": 0.9, "difference": 0.2, **both},
            "length": {"champion": 200.0, "candidate": 210.0, "difference": 10.0, "prompts": 60, "error": 4.0},
            "perplexity": {"champion": 2.0, "candidate": 1.5, "difference": -0.5, "prompts": 60, "error": None},
            "kl": {"candidate": 0.25, "prompts": 58},
        }
    )
    assert "score: 70 -> 90, difference 20 +- 2, on 60 prompts" in lines
    assert "length: 200 -> 210, difference 10 +- 4, on 60 prompts" in lines
    assert "perplexity: 2 -> 1.5, difference -0.5, on 60 prompts" in lines
    assert "kl: 0.25, on 58 prompts" in lines


def test_what_must_be_kept_says_which_loss_would_show() -> None:
    one = {"name": "golden", "items": 40, "champion": 0.9, "candidate": 0.7, "margin": 0.06, "passed": False}
    assert "golden: 90 -> 70 of 100 on 40 items, not proven to be no worse; a loss of 6 points would show" in shown(
        kept=[one]
    )
    assert any(
        line.startswith("golden: 90 -> 90 of 100 on 40 items, no worse")
        for line in shown(kept=[one | {"candidate": 0.9, "passed": True}])
    )


def test_a_set_of_which_a_champion_knows_next_to_nothing_proves_nothing_and_says_so() -> None:
    one = {"name": "retention", "items": 40, "champion": 0.01, "candidate": 0.01, "margin": 0.05, "passed": True}
    said = "retention: 1 -> 1 of 100 on 40 items; too little for any loss to show (margin 5 points)"
    assert said in shown(kept=[one])


def test_an_update_of_an_earlier_version_has_none_of_it() -> None:
    assert shown()[-1] == "verdict: promote by validator on 60 prompts"
