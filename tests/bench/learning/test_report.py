"""The report: what has not been run says so, what has been names its runs, and the page is that of the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.learning.claims import claims_of, verdicts
from bench.learning.report import PAGE, parts, put
from bench.learning.results import gather, read_compact
from bench.learning.seeds import REPORT
from bench.learning.settings import TRIED_SHARES
from bench.learning.tables import NOT_RUN


def result(
    setting: str, seed: int, score: float, *, kind: str = "update", point: str = "centre", base: str = "weak"
) -> dict[str, Any]:
    metrics = {"score": score, "edge": 0.75, "generic": 0.1, "right": 0.5, "alike": 0.0}
    return {
        "cell": f"{kind}/erd-{base}/{point}/{setting}/{seed}",
        "metrics": metrics,
        "base_metrics": {**metrics, "score": 0.5, "edge": 0.4},
        "cpu_s": 2.0,
        "seconds": 4.0,
        "hard_share": 0.2,
        "noisy_share": 0.1,
        "commit": "abc1234",
        "machine": "2 cores",
        "base_hash": "0" * 64,
    }


RESULTS = [
    result(name, seed, score + seed / 500) for name, score in (("sft", 0.9), ("arrival", 0.8)) for seed in REPORT
]


def test_nothing_that_was_not_run_is_claimed() -> None:
    found = parts([])
    for name in ("claims", "settings", "tuner", "asked", "factors", "attacks", "drift", "tried"):
        assert NOT_RUN in found[name]
        assert "±" not in found[name]


def test_a_table_names_seeds_commit_and_machine() -> None:
    found = parts(RESULTS)["settings"]
    assert "seeds 1 to 10; commit abc1234; 2 cores" in found
    assert "| `sft` | 91.1 ± 0.4 |  | +10.0 ± 0.0 |" in found


def test_a_claim_stands_or_falls_with_its_seeds() -> None:
    found = verdicts(claims_of(RESULTS, "sft"))
    assert found["quality, weak base"] == "reproduced"
    assert found["generic content, weak base"] == "not reproduced"
    assert found["hard share of the plan, weak base"] == "not reproduced"
    worse = verdicts(claims_of([result("sft", seed, 0.85 + (-1) ** seed * 0.02) for seed in REPORT], "sft"))
    assert worse["quality, weak base"] == "open"
    few = verdicts(claims_of(RESULTS[:2], "sft"))
    assert set(few.values()) == {"too few seeds"}


def test_shares_that_were_tried_stand_in_the_table_and_in_no_claim() -> None:
    names = ("sft", *(setting.name for setting in TRIED_SHARES))
    found = parts([*RESULTS, *(result(name, 101, 0.9, point="shares") for name in names)])
    lines = [line for line in found["tried"].splitlines() if "erd-weak" in line]
    assert [line.endswith("| chosen |") for line in lines].count(True) == 1
    assert "| `active-diverse` | random 30 %, diverse 70 % | erd-weak | 90.0 (1 seed) | 75.0 (1 seed) |" in "".join(
        lines
    )
    assert "seeds 1 to 10;" in found["claims"]


def test_a_claim_that_was_not_measured_is_not_made() -> None:
    assert {claim.name.partition(",")[0] for claim in claims_of(RESULTS, "sft")} == {
        "quality",
        "edge cases",
        "generic content",
        "hard share of the plan",
    }


def test_a_target_that_is_missed_counts_as_the_last_that_was_tried() -> None:
    rows = (("rows-6", 0.5), ("rows-12", 0.6), ("centre", 0.7), ("rows-36", 0.92), ("rows-48", 0.9), ("rows-60", 0.9))
    reached = [result("sft", 1, score, point=point) for point, score in rows]
    missed = [result("arrival", 1, 0.5, point=point) for point, _ in rows]
    (claim,) = [each for each in claims_of(reached + missed, "sft") if each.name.startswith("examples")]
    assert claim.found == "36 against not reached"


ROWS = ("rows-6", "rows-12", "centre", "rows-36", "rows-48", "rows-60")


def test_labels_asked_are_compared_with_as_many_by_lot() -> None:
    asked = [
        result(name, seed, level + at / 100 + seed / 10000, kind="ask", point=point)
        for name, level in (("ask", 0.90), ("ask-random", 0.86))
        for at, point in enumerate(ROWS)
        for seed in REPORT
    ]
    (claim,) = claims_of(asked, "full")
    assert (claim.name, claim.found) == ("labels asked to 90, weak base", "6 against 48")
    assert verdicts([claim])[claim.name] == "reproduced"
    found = parts(asked)["asked"]
    assert "| 6 | 90.1 ± 0.0 | 86.1 ± 0.0 | +4.0 ± 0.0 | 75.0 ± 0.0 | 75.0 ± 0.0 | +0.0 ± 0.0 | 10 % | 10 % |" in found


def test_the_tuner_is_told_apart_by_what_it_adopted() -> None:
    tuned = [
        {
            **result("only-hyperparameters", seed, 0.9 + seed / 500 + 0.02 * (seed == 1)),
            "adopted": seed == 1,
            "tuned": {"learning_rate": 0.0025, "steps": 60.0},
            "search_cpu_s": 50.0,
        }
        for seed in REPORT[:2]
    ]
    assert "| erd-weak | 1 of 2 | +1.0 ± 12.7 | +2.0 (1 seed) |" in parts([*RESULTS, *tuned])["tuner"]
    assert "| 0.0025 x 60 | 50 | 2.0 |" in parts([*RESULTS, *tuned])["tuner"]
    tuned[1]["tuned"] = {"learning_rate": 0.0025, "passes": 20.0}
    tuned[0]["tuned"] = tuned[1]["tuned"]
    assert "| 0.0025 x 20 passes | 50 |" in parts([*RESULTS, *tuned])["tuner"]


def test_a_page_without_a_place_for_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match=r"learning\.claims: begin"):
        put("nothing here", "claims", "words")


def test_results_are_merged_over_those_that_were_committed(tmp_path: Path) -> None:
    compact = tmp_path / "results.json"
    assert gather(tmp_path / "none", compact) == []
    compact.write_text('[{"cell": "update/erd-weak/centre/sft/1"}]')
    assert [one["cell"] for one in gather(tmp_path / "none", compact)] == ["update/erd-weak/centre/sft/1"]


def test_the_page_is_that_of_the_committed_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, body in parts(read_compact()).items():
        assert put(text, name, body) == text, f"{name} is stale: run python -m bench.learning --report"
