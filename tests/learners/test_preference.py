"""Whether an update has a preference phase, and what each of its phases trains on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from learners.methods import find_method
from learners.methods.dpo import DpoSettings
from learners.methods.sft import SftSettings
from learners.preference import (
    MIN_PAIRS,
    Preference,
    choose_preference,
    count_rows,
    roles_in_words,
    rows_to_train,
    sort_rows,
    with_replay,
)
from storage.records import Message, Origin, Row

METHODS = [(find_method("sft"), SftSettings()), (find_method("dpo"), DpoSettings())]
TARGET = Row(
    (Message("user", "q"),), "a", "target", 1.0, 1.0, 1.0, Origin("t", 1), None, datetime(2026, 1, 1, tzinfo=UTC)
)


def targets(count: int, name: str = "t", weight: float = 1.0) -> list[Row]:
    return [replace(TARGET, origin=Origin(f"{name}{i}", 1), weight=weight) for i in range(count)]


def pairs(count: int, name: str = "p", weight: float = 1.0) -> list[Row]:
    return [replace(row, role="pair", rejected="b") for row in targets(count, name, weight)]


@pytest.mark.parametrize(
    ("wanted", "count", "on", "reason"),
    [
        ("off", 99, False, "learners.preference is off"),
        ("auto", 0, False, "0 of 16 pairs that learners.preference: auto wants"),
        ("auto", 15, False, "15 of 16 pairs that learners.preference: auto wants"),
        ("auto", 16, True, "dpo on 16 pairs (learners.preference: auto)"),
        ("dpo", 1, True, "dpo on 1 pairs (learners.preference: dpo)"),
        ("dpo", 0, False, "no pairs"),
    ],
)
def test_auto_wants_sixteen_pairs_dpo_any_and_off_none(wanted: Preference, count: int, on: bool, reason: str) -> None:
    choice = choose_preference(wanted, count)
    assert (choice.on, choice.reason) == (on, reason)


def test_sft_comes_first_and_the_preference_phase_after_it() -> None:
    found = sort_rows([*pairs(16), *targets(3)], [], [*pairs(2, "d"), *targets(1, "e")], METHODS, "auto")
    sizes = [(phase.method, len(phase.batch), len(phase.dev)) for phase in found.phases]
    assert sizes == [("sft", 3, 1), ("dpo", 16, 2)]
    assert not found.no_method


def test_too_few_pairs_are_no_method_and_train_nowhere() -> None:
    found = sort_rows([*pairs(15), *targets(3)], [], [], METHODS, "auto")
    assert found.no_method == {"pair": 15}
    assert [(phase.method, len(phase.batch)) for phase in found.phases] == [("sft", 3), ("dpo", 0)]
    assert [phase.method for phase in with_replay(found.phases, [], "auto")] == ["sft"]
    assert roles_in_words(found.no_method, found.preference) == (
        "15 pair (no method: 15 of 16 pairs that learners.preference: auto wants)"
    )


def test_what_earlier_pairs_taught_is_replayed_though_the_batch_has_too_few_new_ones() -> None:
    learned = [*pairs(20, "old"), *targets(5, "older")]
    found = sort_rows([*pairs(2), *targets(3)], learned, [], METHODS, "auto")
    phases = with_replay(found.phases, learned, "auto")
    assert count_rows(phases) == {
        "sft": {"new": 3, "replayed": 5, "dev": 0},
        "dpo": {"new": 0, "replayed": 20, "dev": 0},
    }
    assert all(row.replay for row in phases[1].learned)


def test_a_few_replayed_pairs_alone_make_no_phase() -> None:
    learned = pairs(20, "old")
    found = sort_rows(targets(3), learned, [], METHODS, "auto")
    assert [phase.method for phase in with_replay(found.phases, learned[: MIN_PAIRS - 1], "auto")] == ["sft"]


def test_with_preference_off_earlier_pairs_are_not_replayed() -> None:
    found = sort_rows(targets(3), pairs(20, "old"), [], METHODS[:1], "off")
    assert [phase.method for phase in with_replay(found.phases, pairs(20, "old"), "off")] == ["sft"]


def test_weights_have_mean_1_in_each_phase_however_the_phases_compare() -> None:
    found = sort_rows([*pairs(16, weight=0.01), *targets(4)], [], [], METHODS, "auto")
    for phase in with_replay(found.phases, [], "auto"):
        weights = [row.weight for row in rows_to_train(phase)]
        assert sum(weights) / len(weights) == pytest.approx(1)
