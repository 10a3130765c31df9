"""The figures in `docs/validators.md` are those of a fresh run, and the mutants behind them are worth their name."""

from __future__ import annotations

from collections import Counter

import pytest

from bench import validators as bench
from bench.er_mutations import KINDS, mutants
from learners.validators import Validated, open_validator

GOOD = [code for code, parses in bench.real_diagrams() if parses]


class _YesToAll:
    def validate(self, prompt: str, answer: str) -> Validated:
        return Validated(1.0, True, {"parses": True}, {"parses": 1.0})


def test_the_docs_hold_the_tables_of_a_fresh_run() -> None:
    assert bench.documented() == bench.report(), "run: python -m bench.validators --write"


def test_real_diagrams_are_judged_well_enough() -> None:
    judged = Counter((one.parses, one.accepted) for one in bench.judge_real(open_validator("mermaid_erd")))
    assert judged[True, True] >= 75
    assert judged[False, True] == 0


def test_the_mutants_are_all_different_and_of_both_sorts() -> None:
    found = list(mutants(GOOD, bench.MUTANTS, bench.SEED))
    assert len({mutant.text for mutant in found} - set(GOOD)) == bench.MUTANTS
    assert 80 <= sum(mutant.kind.parses for mutant in found) <= 120
    assert {mutant.kind.name for mutant in found} == {kind.name for kind in KINDS}


def test_the_same_seed_gives_the_same_mutants_and_another_gives_others() -> None:
    first, again, other = (list(mutants(GOOD, 40, seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("seed", [11, 12])
def test_mutants_of_other_seeds_are_judged_right_too(seed: int) -> None:
    wrong = [
        one.kind for one in bench.judge_mutants(open_validator("mermaid_erd"), 200, seed) if one.parses != one.accepted
    ]
    assert wrong == []


def test_a_validator_that_accepts_everything_shows_in_the_matrix() -> None:
    judged = Counter((one.parses, one.accepted) for one in bench.judge_mutants(_YesToAll()))
    assert judged[False, True] >= 80
